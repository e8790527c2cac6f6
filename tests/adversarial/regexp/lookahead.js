// tries: to backtrack for ever inside a lookahead.
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: output false

export default async () => /^(?=(a+)+$)(?=(a+)+$)b/.test('a'.repeat(40) + 'c');
