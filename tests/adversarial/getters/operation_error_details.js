// tries: to compute for ever while the details of its error are read.
// expect: error LIMIT_EXCEEDED cpu_ms

export default async function () {
  throw new OperationError('ODD', 'x', { toJSON() { for (;;) {} } });
}
