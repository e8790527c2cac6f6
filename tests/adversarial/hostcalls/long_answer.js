// tries: to have an operation answer more than one call may bring. The tool can catch it.
// expect: output "RESULT_TOO_LARGE"
// env: fs/read

export default async function (input, env) {
  try { return (await env.fs.read({ path: 'large.txt' })).length; } catch (error) { return error.code; }
}
