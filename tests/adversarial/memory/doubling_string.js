// tries: to double a string until it is too long.
// expect: error INTERNAL uncaught
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms

export default async function () {
  let text = 'x';
  for (;;) text += text + 'é';
}
