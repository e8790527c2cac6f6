// tries: to have replace ask for ever for the next match.
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes

export default async function () {
  const pattern = /a/g;
  pattern.exec = () => ({ index: 0, length: 1, 0: '' });
  return 'aaaa'.replace(pattern, 'y');
}
