// tries: to call itself many times, each of which does the same, and to go on whatever comes of them.
// expect: error TIMEOUT
// expect: error LIMIT_EXCEEDED
// expect: output "grown"
// env: session/hostile

export default async function (input, env) {
  for (let i = 0; i < 20; i++) {
    await Promise.allSettled(Array.from({ length: 3 }, () => env.invoke('session/hostile', null)));
  }
  return 'grown';
}
