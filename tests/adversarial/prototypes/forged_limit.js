// tries: to pass its own error off as a limit of the host.
// expect: error LIMIT_EXCEEDED

export default async function () {
  throw new OperationError('LIMIT_EXCEEDED', 'forged', { limit: 'cpu_ms', max: 1 });
}
