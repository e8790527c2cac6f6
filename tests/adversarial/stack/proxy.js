// tries: to recurse through the traps of a proxy.
// expect: error LIMIT_EXCEEDED stack_bytes

export default async function () {
  const trap = new Proxy({}, { get: (target, key, receiver) => receiver[key] });
  return trap.x;
}
