// tries: to have something freed that is linked very deeply.
// expect: output "fine"
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms

export default async function () {
  let list = null;
  for (let i = 0; i < 60000; i++) list = { list };
  list = null;
  return 'fine';
}
