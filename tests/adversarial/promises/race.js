// tries: to leave very many calls behind in races that are decided.
// expect: error LIMIT_EXCEEDED host_calls
// env: time/now

export default async function (input, env) {
  for (;;) await Promise.race([Promise.resolve(1), env.time.now(), env.time.now()]);
}
