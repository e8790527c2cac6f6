// tries: to answer one object that is written again and again.
// expect: error LIMIT_EXCEEDED output_bytes
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error INTERNAL uncaught

export default async function () {
  let shared = ['x'];
  for (let i = 0; i < 24; i++) shared = [shared, shared];
  return shared;
}
