// tries: to compute for ever while its error is read.
// expect: error LIMIT_EXCEEDED cpu_ms

export default async function () {
  const error = new Error();
  Object.defineProperty(error, 'message', { get() { for (;;) {} } });
  throw error;
}
