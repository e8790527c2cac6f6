// tries: to go on after each failed allocation.
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes

export default async function () {
  const all = [];
  for (;;) { try { all.push(new Uint8Array(1 << 18)); } catch { /* and again */ } }
}
