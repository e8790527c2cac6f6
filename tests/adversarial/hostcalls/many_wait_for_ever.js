// tries: to hold many connections to a server that never answers.
// expect: error TIMEOUT
// env: http/fetch

export default async function (input, env) {
  return Promise.all(Array.from({ length: 100 }, () => env.http.fetch({ target: 'silent', path: '/', method: 'GET' })));
}
