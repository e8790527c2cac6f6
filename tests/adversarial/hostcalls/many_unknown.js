// tries: to ask for very many operations that are not there.
// expect: error LIMIT_EXCEEDED host_calls
// env: time/now

export default async function (input, env) {
  for (let i = 0; ; i++) { try { await env.invoke('no/such' + i); } catch { /* as it must be */ } }
}
