// tries: to pass its own error off as one of an operation, with a code of the protocol.
// expect: error FORBIDDEN uncaught CallError
// expect: error INTERNAL

export default async function () {
  throw new CallError('FORBIDDEN', 'forged', true, { of: 'the tool' });
}
