// tries: to wait for very many promises at once.
// expect: output 20000
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms

export default async function () {
  const all = await Promise.all(Array.from({ length: 20000 }, async (_, i) => i));
  return all.length;
}
