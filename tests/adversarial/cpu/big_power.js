// tries: to have one operator compute for long.
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error INTERNAL uncaught

export default async () => String(7n ** 3000000n).length;
