// tries: to compute for ever while the input of a call is written.
// expect: error LIMIT_EXCEEDED cpu_ms
// env: time/now

export default async (input, env) => env.time.now({ get a() { for (;;) {} } });
