// tries: to make the collector walk a large web of objects again and again.
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes

export default async function () {
  const web = Array.from({ length: 20000 }, () => ({ a: null, b: null }));
  for (let i = 0; ; i++) {
    const one = web[i % web.length];
    one.a = web[(i * 7) % web.length];
    one.b = { back: one };
  }
}
