// tries: to throw a giant that is no error.
// expect: error INTERNAL uncaught Thrown
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes

export default async () => { throw { text: 'x'.repeat(1 << 20), list: new Array(10000).fill({ a: 1 }) }; };
