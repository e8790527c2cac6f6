// tries: to leave very many rejections to nobody.
// expect: output "fine"
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes

export default async function () {
  for (let i = 0; i < 20000; i++) Promise.reject(new Error('nobody listens'));
  return 'fine';
}
