// tries: to gather answers until no memory is left.
// expect: error LIMIT_EXCEEDED host_calls
// expect: error LIMIT_EXCEEDED memory_bytes
// env: fs/read

export default async function (input, env) {
  const all = [];
  for (;;) all.push(await env.fs.read({ path: 'medium.txt' }));
}
