// tries: to recurse through a getter.
// expect: error LIMIT_EXCEEDED stack_bytes

export default async function () {
  const trap = { get x() { return this.x; } };
  return trap.x;
}
