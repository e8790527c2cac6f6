// tries: to have a counted repetition of a counted repetition.
// expect: output false
// expect: error INTERNAL uncaught
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes

export default async () => /^((a{1,1000}){1,1000}){1,1000}$/.test('a'.repeat(200) + 'b');
