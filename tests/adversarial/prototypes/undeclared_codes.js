// tries: to raise an error under a code that it did not declare.
// expect: error INTERNAL undeclared error

export default async function () {
  throw new OperationError('SESSION_STOLEN', 'not declared', { a: 1 });
}
