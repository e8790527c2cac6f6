// tries: to throw while its answer is written.
// expect: error INTERNAL uncaught RangeError: mine

export default async () => ({ toJSON() { throw new RangeError('mine'); } });
