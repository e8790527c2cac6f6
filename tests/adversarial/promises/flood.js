// tries: to make promises without end.
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms

export default async function () {
  const all = [];
  for (;;) all.push(new Promise(() => {}), Promise.resolve(all.length).then(() => {}));
}
