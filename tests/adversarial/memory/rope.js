// tries: to build a long string that is flat nowhere, and flatten it.
// expect: error INTERNAL uncaught
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms

export default async function () {
  let text = 'ab';
  for (let i = 0; i < 27; i++) text = text + text;
  return text.split('b').length;
}
