// tries: to tell from the error which operations there are beyond its env.
// expect: output {"escaped":false}
// env: time/now

type Env = { invoke(name: string, input?: unknown): Promise<unknown> };
export default async function (input: unknown, env: Env) {
  const seen = new Set<string>();
  for (const name of ['fs/write', 'no/such', 'host/status', 'session/open', 'audit/query']) {
    try { await env.invoke(name, {}); } catch (error: any) {
      seen.add(`${error.code} ${String(error.message).replaceAll(name, '')} ${JSON.stringify(error.details)}`);
    }
  }
  return { escaped: seen.size !== 1 };
}
