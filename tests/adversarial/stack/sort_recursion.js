// tries: to recurse through a comparison.
// expect: error LIMIT_EXCEEDED stack_bytes

export default async function () {
  const down = () => [2, 1].sort(down);
  return down();
}
