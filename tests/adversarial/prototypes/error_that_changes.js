// tries: to answer differently each time its error is read.
// expect: error INTERNAL uncaught

export default async function () {
  let reads = 0;
  const error = new Error('x');
  Object.defineProperty(error, 'name', { get: () => 'Name' + reads++ });
  Object.defineProperty(error, 'message', { get: () => (reads++ % 2 ? 'odd' : { toString: () => 'object' }) });
  throw error;
}
