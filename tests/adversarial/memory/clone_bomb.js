// tries: to have something copied that doubles each time.
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED stack_bytes
// expect: error INTERNAL uncaught

export default async function () {
  let all = [new Uint8Array(1000)];
  for (;;) all = [all, structuredClone(all)];
}
