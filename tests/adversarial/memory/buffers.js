// tries: to take memory with buffers that are kept.
// expect: error LIMIT_EXCEEDED memory_bytes

export default async function () {
  const all = [];
  for (;;) all.push(new Uint8Array(1 << 20));
}
