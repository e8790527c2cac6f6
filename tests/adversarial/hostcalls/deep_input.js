// tries: to call with an input that nests very deeply.
// expect: output "refused"
// expect: error LIMIT_EXCEEDED stack_bytes
// env: kv/put

export default async function (input, env) {
  let value = 1;
  for (let i = 0; i < 300; i++) value = [value];
  try { await env.kv.put({ key: 'deep', value }); return 'taken'; } catch { return 'refused'; }
}
