// tries: to have one method make a long string.
// expect: error INTERNAL uncaught
// expect: error LIMIT_EXCEEDED memory_bytes

export default async () => 'x'.padEnd(2 ** 29).length;
