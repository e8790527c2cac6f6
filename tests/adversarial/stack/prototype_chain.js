// tries: to have a lookup walk a very long chain of prototypes.
// expect: output null
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes

export default async function () {
  let chain = {};
  for (let i = 0; i < 50000; i++) chain = Object.create(chain);
  let found;
  for (let i = 0; i < 100; i++) found = chain.missing;
  return found;
}
