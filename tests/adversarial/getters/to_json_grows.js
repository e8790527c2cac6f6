// tries: to answer something larger each time it is asked.
// expect: error LIMIT_EXCEEDED output_bytes
// expect: error LIMIT_EXCEEDED stack_bytes
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error INTERNAL uncaught

export default async function () {
  let n = 1;
  const grows = { toJSON() { n *= 2; return new Array(Math.min(n, 4096)).fill(n < 4096 ? grows : 'x'); } };
  return grows;
}
