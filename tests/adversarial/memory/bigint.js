// tries: to take memory with one number.
// expect: error INTERNAL uncaught
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms

export default async function () {
  let n = 3n;
  for (;;) n = n * n;
}
