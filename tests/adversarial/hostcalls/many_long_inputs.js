// tries: to have the host hold many long inputs at once.
// expect: error LIMIT_EXCEEDED host_buffer_bytes
// env: kv/put

export default async function (input, env) {
  const value = 'x'.repeat(20000);
  for (;;) env.kv.put({ key: 'a', value });
}
