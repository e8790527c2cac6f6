// tries: to call itself many times, each of which does the same.
// expect: error INTERNAL
// expect: error LIMIT_EXCEEDED
// expect: error TIMEOUT
// env: session/hostile

export default async function (input, env) {
  await Promise.all(Array.from({ length: 3 }, () => env.invoke('session/hostile', null)));
  return 'grown';
}
