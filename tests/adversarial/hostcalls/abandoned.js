// tries: to fail at once and leave calls behind that never end.
// expect: error INTERNAL uncaught Error: gone
// env: http/fetch

export default async function (input, env) {
  for (let i = 0; i < 50; i++) env.http.fetch({ target: 'silent', path: '/', method: 'GET' }).catch(() => {});
  await null;
  throw new Error('gone');
}
