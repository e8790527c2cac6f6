// tries: to recurse through await, where no stack grows.
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED stack_bytes

export default async function () {
  const down = async () => 1 + (await down());
  return down();
}
