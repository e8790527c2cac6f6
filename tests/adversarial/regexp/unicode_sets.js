// tries: to have large sets of characters made, with case folded.
// expect: output true
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error INTERNAL uncaught

export default async function () {
  let found = false;
  for (let i = 0; i < 50; i++) found = new RegExp('[\\p{L}\\p{N}\\u{' + (0x1000 + i).toString(16) + '}]+', 'iu').test('aé') || found;
  return found;
}
