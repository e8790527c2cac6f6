// tries: to draw random bytes for ever.
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes

export default async function () {
  const bytes = new Uint8Array(65536);
  for (;;) crypto.getRandomValues(bytes);
}
