// tries: to call an operation with a very long name.
// expect: error LIMIT_EXCEEDED host_call_bytes
// expect: error LIMIT_EXCEEDED host_buffer_bytes
// env: time/now

export default async (input, env) => env.invoke('x'.repeat(100000));
