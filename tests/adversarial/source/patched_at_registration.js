// tries: to patch what its registration needs before that is over.
// expect: output 1

Object.defineProperty(Object.prototype, 'default', { get() { throw new Error('never'); }, configurable: true });
globalThis.Object = globalThis.Function = null;
export default async () => 1;
