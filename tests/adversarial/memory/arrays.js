// tries: to take memory with arrays of arrays.
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms

export default async function () {
  const all = [];
  for (;;) all.push(new Array(1000).fill(all.length));
}
