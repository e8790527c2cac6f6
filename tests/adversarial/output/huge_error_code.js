// tries: to answer with the code of an error.
// expect: error INTERNAL undeclared error

export default async () => { throw new OperationError('A'.repeat(1 << 20), 'x'); };
