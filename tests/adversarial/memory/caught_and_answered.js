// tries: to run out of memory, catch that, let go, and answer as if nothing were.
// expect: output "fine"
// expect: error LIMIT_EXCEEDED memory_bytes

export default async function () {
  try { const all = []; for (;;) all.push(new Uint8Array(1 << 20)); } catch { /* let go of all */ }
  return 'fine';
}
