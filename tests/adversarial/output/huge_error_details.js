// tries: to answer with the details of an error, which are longer than an answer may be.
// expect: error LIMIT_EXCEEDED output_bytes
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error INTERNAL undeclared

export default async () => { throw new OperationError('ODD', 'x', { text: 'x'.repeat(2 << 20) }); };
