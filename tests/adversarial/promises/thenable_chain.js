// tries: to answer with thenables of thenables without end.
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes

export default async function () {
  const again = () => ({ then(done) { done(again()); } });
  return again();
}
