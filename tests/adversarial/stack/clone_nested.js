// tries: to have something copied that nests very deeply.
// expect: error LIMIT_EXCEEDED stack_bytes
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: output "fine"
// expect: error INTERNAL uncaught

export default async function () {
  let deep = {};
  for (let i = 0; i < 50000; i++) deep = { deep };
  structuredClone(deep);
  return 'fine';
}
