// tries: to compute for ever in jobs, none of which takes long.
// expect: error LIMIT_EXCEEDED cpu_ms

export default async function () {
  for (;;) await null;
}
