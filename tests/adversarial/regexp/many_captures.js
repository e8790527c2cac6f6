// tries: to have a pattern compiled with more groups than an engine counts.
// expect: error INTERNAL uncaught
// expect: output false
// expect: output true
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms

export default async () => new RegExp('(a)'.repeat(100000)).test('a');
