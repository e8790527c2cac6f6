// tries: to wait for a moment by looking at the clock.
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: output "it came"

export default async function () {
  const end = Date.now() + 10;
  while (Date.now() < end) { /* never read more often than once a millisecond */ }
  return 'it came';
}
