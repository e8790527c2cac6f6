// tries: to begin calls and take them back without end.
// expect: error LIMIT_EXCEEDED host_calls
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error INTERNAL
// env: time/now

export default async function (input, env) {
  for (;;) {
    const controller = new AbortController();
    env.time.now({}, { signal: controller.signal }).catch(() => {});
    controller.abort();
  }
}
