// tries: to change the pattern from the callback of its replacement.
// expect: output "fine"
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes

export default async function () {
  const pattern = /a/g;
  'aaaa'.replace(pattern, () => { pattern.lastIndex = 0; pattern.compile?.('b', 'g'); return 'x'; });
  return 'fine';
}
