// tries: to answer, and compute for ever in a job behind the answer.
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: output 1

export default function () {
  const next = () => Promise.resolve().then(next);
  next();
  return 1;
}
