// tries: to take calls back from within taking them back.
// expect: output "fine"
// expect: error LIMIT_EXCEEDED stack_bytes
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error INTERNAL
// env: time/now, http/fetch

export default async function (input, env) {
  const controller = new AbortController();
  controller.signal.addEventListener('abort', () => {
    controller.abort();
    env.time.now({}, { signal: controller.signal }).catch(() => {});
  });
  const pending = env.http.fetch({ target: 'silent', path: '/', method: 'GET' }, { signal: controller.signal });
  controller.abort();
  try { await pending; } catch { /* taken back */ }
  return 'fine';
}
