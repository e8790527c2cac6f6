// tries: to have dates parsed and written for ever.
// expect: error LIMIT_EXCEEDED cpu_ms

export default async function () {
  for (let i = 0; ; i++) new Date(`2020-01-01T00:00:${10 + i % 50}Z`).toISOString();
}
