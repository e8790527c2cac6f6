// tries: to wait for a moment by looking at the clock.
// expect: error LIMIT_EXCEEDED cpu_ms

export default async function () {
  const end = Date.now() + 10;
  while (Date.now() < end) { /* never comes */ }
  return 'it came';
}
