// tries: to have two names that look the same.
// expect: output [1,2]

export default async function () {
  const a = 1, а = 2;
  return [a, а];
}
