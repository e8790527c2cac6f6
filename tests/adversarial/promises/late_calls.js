// tries: to go on calling operations after it has answered.
// expect: error LIMIT_EXCEEDED host_calls
// expect: output 1
// expect: error LIMIT_EXCEEDED cpu_ms
// env: time/now

export default async function (input, env) {
  const next = () => env.time.now().then(next);
  next();
  return 1;
}
