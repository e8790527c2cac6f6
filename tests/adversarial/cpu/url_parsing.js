// tries: to have long addresses parsed for ever.
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes

export default async function () {
  const long = 'https://a.example/' + '../%2e%2e/\u00e9'.repeat(5000) + '?' + 'a=b&'.repeat(5000);
  for (;;) new URL(long).searchParams.sort();
}
