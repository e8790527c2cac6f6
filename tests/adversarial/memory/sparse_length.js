// tries: to have the engine make dense what is sparse.
// expect: error INTERNAL uncaught
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms

export default async function () {
  const list = [];
  list.length = 2 ** 32 - 1;
  list[2 ** 32 - 2] = 1;
  return list.fill(0).length;
}
