// tries: to break the promises that the host makes.
// expect: output "number"
// env: time/now

Promise.prototype.then = () => { throw new Error('broken'); };
Promise.resolve = Promise.reject = null;
Object.defineProperty(Promise, Symbol.species, { value: null });
globalThis.Promise = undefined;
export default async (input, env) => typeof (await env.time.now()).unix_ms;
