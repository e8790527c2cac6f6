// tries: to backtrack for ever over a reference back.
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: output false
// expect: error LIMIT_EXCEEDED stack_bytes
// expect: error LIMIT_EXCEEDED memory_bytes

export default async () => /^(a*)*\1$/.test('a'.repeat(30) + 'b');
