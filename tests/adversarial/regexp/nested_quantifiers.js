// tries: to backtrack for ever.
// expect: error LIMIT_EXCEEDED cpu_ms

export default async () => /^(a+)+$/.test('a'.repeat(40) + 'b');
