// tries: to answer with an error that is longer than an answer may be.
// expect: error INTERNAL uncaught Error

export default async () => { throw new Error('x'.repeat(1 << 20)); };
