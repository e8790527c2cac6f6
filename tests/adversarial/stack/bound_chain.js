// tries: to recurse through functions that were bound to functions that were bound.
// expect: error LIMIT_EXCEEDED stack_bytes
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: output 1

export default async function () {
  let call = () => 1;
  for (let i = 0; i < 50000; i++) call = call.bind(null);
  return call();
}
