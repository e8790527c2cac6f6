// tries: to compute checksums for ever.
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes

export default async function () {
  const bytes = new Uint8Array(1 << 20);
  for (;;) await crypto.subtle.digest('SHA-256', bytes);
}
