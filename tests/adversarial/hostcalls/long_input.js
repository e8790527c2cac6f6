// tries: to call with an input that is too long.
// expect: error LIMIT_EXCEEDED host_call_bytes
// env: kv/put

export default async (input, env) => env.kv.put({ key: 'a', value: 'x'.repeat(40000) });
