// tries: to call again while the input of a call is written, without end.
// expect: error LIMIT_EXCEEDED host_calls
// expect: error LIMIT_EXCEEDED stack_bytes
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: output "fine"
// env: time/now

export default async function (input, env) {
  const call = () => env.time.now({ toJSON() { call(); return {}; } });
  await call();
  return 'fine';
}
