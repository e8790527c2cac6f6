// tries: to iterate over something that has no end.
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes

export default async function () {
  function* endless() { for (;;) yield 1; }
  let sum = 0;
  for (const one of endless()) sum += one;
  return sum;
}
