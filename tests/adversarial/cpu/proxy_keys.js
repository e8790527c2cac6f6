// tries: to have the engine list keys that a proxy makes up.
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes

export default async function () {
  const keys = Array.from({ length: 5000 }, (_, i) => 'k' + i);
  const target = new Proxy({}, {
    ownKeys: () => keys,
    getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }),
  });
  for (;;) Object.assign({}, target);
}
