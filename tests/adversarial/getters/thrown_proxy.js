// tries: to throw a proxy that loops at every touch.
// expect: error LIMIT_EXCEEDED cpu_ms

export default async function () {
  const loop = () => { for (;;) {} };
  throw new Proxy({}, { get: loop, ownKeys: loop, getPrototypeOf: loop, has: loop });
}
