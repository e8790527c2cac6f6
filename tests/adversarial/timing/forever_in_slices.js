// tries: to stay below every bound on one step and never end.
// expect: error LIMIT_EXCEEDED host_calls
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error TIMEOUT
// env: time/now

export default async function (input, env) {
  for (;;) {
    for (let i = 0; i < 1000; i++) { /* a short step */ }
    await env.time.now();
  }
}
