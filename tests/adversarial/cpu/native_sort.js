// tries: to have the engine sort with a comparison that never agrees.
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes

export default async function () {
  const list = Array.from({ length: 50000 }, (_, i) => i);
  for (;;) list.sort(() => Math.random() - 0.5);
}
