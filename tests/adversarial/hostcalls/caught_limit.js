// tries: to catch the end of its calls and go on.
// expect: error LIMIT_EXCEEDED host_calls
// env: time/now

export default async function (input, env) {
  for (;;) { try { await env.time.now(); } catch { /* and again */ } }
}
