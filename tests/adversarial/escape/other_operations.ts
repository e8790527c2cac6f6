// tries: to call operations that are not in its env, under every spelling.
// expect: output {"escaped":false}
// env: time/now

type Env = { invoke(name: string, input?: unknown): Promise<unknown> };
export default async function (input: unknown, env: Env) {
  const names = ['fs/write', 'kv/put', 'host/status', 'session/open', 'session/list', 'audit/query',
    'services/list', 'services/schema', '/fs/read', 'FS/READ', 'fs/read ', 'fs//read', 'fs/./read', 'fs%2fread',
    '', '/', '..', 'session/../fs/read', 'time/now\u0000', 'fs\u2044read'];
  let escaped = false;
  for (const name of names) {
    try { await env.invoke(name, { path: 'README.md' }); escaped = true; } catch { /* as it must be */ }
  }
  return { escaped };
}
