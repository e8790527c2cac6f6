// tries: to recurse through a replacement.
// expect: error LIMIT_EXCEEDED stack_bytes

export default async function () {
  const down = () => 'aa'.replace(/a/g, down);
  return down();
}
