// tries: to pass an identity, a session or a scope as members of an input.
// expect: output {"escaped":false}
// env: kv/get

type Env = { kv: { get(input: object): Promise<unknown> } };
export default async function (input: unknown, env: Env) {
  const claims = [{ identity: 'operator' }, { internal: true }, { scopes: ['*'] }, { session: 'x' },
    { forwarded_for: 'operator' }, { scoped_env: {} }, { parent_request_id: '1' }, { auth_token: 'x' }];
  let escaped = false;
  for (const claim of claims) {
    try { await env.kv.get({ key: 'a', ...claim }); escaped = true; } catch { /* refused: unknown member */ }
  }
  return { escaped };
}
