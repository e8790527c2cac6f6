// tries: to have a pattern compiled that nests very deeply.
// expect: error INTERNAL uncaught
// expect: error LIMIT_EXCEEDED stack_bytes

export default async () => new RegExp('('.repeat(10000) + ')'.repeat(10000)).test('');
