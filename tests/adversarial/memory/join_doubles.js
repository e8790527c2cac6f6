// tries: to have join write the same array again and again.
// expect: error INTERNAL uncaught
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms

export default async function () {
  let list = ['x'];
  for (let i = 0; i < 30; i++) list = [list, list];
  return list.join().length;
}
