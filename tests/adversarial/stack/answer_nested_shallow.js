// tries: to answer what the engine can write but a recursive reader may not bear.
// expect: error LIMIT_EXCEEDED stack_bytes
// expect: error INTERNAL the output is not JSON

export default async function () {
  let answer = 1;
  for (let i = 0; i < 400; i++) answer = [answer];
  return answer;
}
