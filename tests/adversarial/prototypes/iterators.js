// tries: to break iteration, destructuring and spreading for whoever uses it.
// expect: output [3]
// env: time/now

Array.prototype[Symbol.iterator] = function* () { for (;;) yield 1; };
Object.getPrototypeOf(new Map().values()).next = () => ({ done: false });
export default async function (input, env) {
  await env.time.now();
  return [3];
}
