// tries: to read files outside of the root through an operation that it may call.
// expect: output {"escaped":false}
// env: fs/read

type Env = { fs: { read(input: object): Promise<unknown> } };
export default async function (input: unknown, env: Env) {
  const paths = ['../alknet-agent.toml', '../.alknet-agent/host.key', '/etc/passwd', '/proc/self/environ',
    './../../etc/passwd', 'README.md/../../alknet-agent.toml', '..\\alknet-agent.toml', '\u002e\u002e/alknet-agent.toml',
    'README.md\u0000', '//etc/passwd', '~/.ssh/id_ed25519', 'file:///etc/passwd'];
  let escaped = false;
  for (const path of paths) {
    try { await env.fs.read({ path }); escaped = true; } catch { /* as it must be */ }
  }
  return { escaped };
}
