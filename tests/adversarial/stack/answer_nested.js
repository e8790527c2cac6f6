// tries: to answer something that nests very deeply.
// expect: error LIMIT_EXCEEDED stack_bytes
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error INTERNAL

export default async function () {
  let answer = 1;
  for (let i = 0; i < 100000; i++) answer = [answer];
  return answer;
}
