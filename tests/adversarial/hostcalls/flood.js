// tries: to call without end and without waiting.
// expect: error LIMIT_EXCEEDED host_calls
// env: time/now

export default async function (input, env) { for (;;) env.time.now(); }
