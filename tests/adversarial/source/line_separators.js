// tries: to confuse the count of lines.
// expect: error INTERNAL uncaught Error: here

export default async function () {
  const text = '  ';
  throw new Error('here');
}
