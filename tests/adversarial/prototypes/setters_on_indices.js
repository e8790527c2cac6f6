// tries: to be called when the host fills an array or an object.
// expect: output "fine"
// env: time/now

let called = 0;
for (const key of ['0', '1', 'code', 'message', 'details', 'retryable', 'kind', 'name']) {
  Object.defineProperty(Object.prototype, key, { set() { called++; throw new Error('called'); }, get() { return undefined; }, configurable: true });
}
export default async function (input, env) {
  try { await env.invoke('no/such'); } catch (error) { if (error.code !== 'NOT_FOUND') return error.code; }
  return called === 0 ? 'fine' : 'called';
}
