// tries: to backtrack for ever over alternatives that overlap.
// expect: error LIMIT_EXCEEDED cpu_ms

export default async () => /^(a|a|aa)*$/.test('a'.repeat(60) + 'b');
