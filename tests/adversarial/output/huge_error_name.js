// tries: to answer with the name and the stack of an error.
// expect: error INTERNAL uncaught

export default async function () {
  const error = new Error('x');
  error.name = 'N'.repeat(1 << 20);
  error.stack = '    at f (tool:1:1)\n'.repeat(50000);
  throw error;
}
