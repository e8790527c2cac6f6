// tries: to recurse without end.
// expect: error LIMIT_EXCEEDED stack_bytes

export default async function () {
  const down = () => 1 + down();
  return down();
}
