// tries: to take memory with closures that hold each other.
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED stack_bytes

export default async function () {
  let chain = () => 0;
  for (;;) { const last = chain; const weight = new Array(64); chain = () => weight.length + last(); }
}
