// tries: to recurse through JSON.stringify.
// expect: error LIMIT_EXCEEDED stack_bytes
// expect: error INTERNAL

export default async function () {
  const trap = { toJSON() { return JSON.stringify(trap); } };
  return JSON.stringify(trap);
}
