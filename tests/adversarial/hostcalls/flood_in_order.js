// tries: to call without end, one after the other.
// expect: error LIMIT_EXCEEDED host_calls
// env: time/now

export default async function (input, env) { for (;;) await env.time.now(); }
