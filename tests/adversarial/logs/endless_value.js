// tries: to have the log show a value that never ends.
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes

export default async function () {
  console.log({ toJSON() { for (;;) { /* never shown */ } } });
}
