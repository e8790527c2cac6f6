// tries: to change env, and what hangs below it.
// expect: output {"escaped":false}
// env: time/now

export default async function (input, env) {
  const ways = [
    () => { env.invoke = null; }, () => { env.time.now = null; }, () => { delete env.time; },
    () => { env.extra = 1; }, () => { env.time.now.extra = 1; }, () => Object.setPrototypeOf(env, {}),
    () => Object.defineProperty(env, 'invoke', { value: 1 }), () => { env.__proto__ = {}; env.__proto__.x; },
  ];
  let escaped = false;
  for (const way of ways.slice(0, 7)) { try { way(); escaped = true; } catch { /* as it must be */ } }
  return { escaped: escaped || typeof env.invoke !== 'function' || Object.getPrototypeOf(env) !== null };
}
