// tries: to have names appear in env by way of Object.prototype.
// expect: output {"escaped":false}
// env: time/now

Object.prototype.fs = { write: () => 'polluted' };
Object.prototype.invoke = () => 'polluted';
export default async function (input, env) {
  return { escaped: env.fs !== undefined || (await env.time.now()) === 'polluted' || env.invoke('time/now') === 'polluted' };
}
