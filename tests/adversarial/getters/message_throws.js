// tries: to throw while its error is read.
// expect: error INTERNAL uncaught

export default async function () {
  const error = new Error();
  for (const key of ['message', 'name', 'stack', 'code', 'details']) {
    Object.defineProperty(error, key, { get() { throw error; } });
  }
  throw error;
}
