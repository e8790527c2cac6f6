// tries: to have JSON parsed and written for ever.
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes

export default async function () {
  let text = JSON.stringify(Array.from({ length: 2000 }, (_, i) => ({ i })));
  for (;;) text = JSON.stringify(JSON.parse(text));
}
