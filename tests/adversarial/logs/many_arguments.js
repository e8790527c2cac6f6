// tries: to log one line of very many arguments.
// expect: output "fine"
// expect: error LIMIT_EXCEEDED stack_bytes
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error INTERNAL uncaught

export default async function () {
  const list = new Array(60000).fill('x');
  console.log.apply(console, list);
  return 'fine';
}
