// tries: to have bytes become text that is longer than there is room.
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error INTERNAL uncaught

export default async function () {
  let text = '';
  const bytes = new Uint8Array(1 << 20).fill(0xff);
  for (;;) text += new TextDecoder().decode(bytes) + new TextDecoder('utf-16le').decode(bytes);
}
