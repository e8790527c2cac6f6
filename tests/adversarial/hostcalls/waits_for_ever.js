// tries: to wait for a server that never answers.
// expect: error TIMEOUT
// env: http/fetch

export default async (input, env) => env.http.fetch({ target: 'silent', path: '/', method: 'GET' });
