// tries: to recurse through proxies of proxies, with no code of its own in between.
// expect: error LIMIT_EXCEEDED stack_bytes
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: output null

export default async function () {
  let chain = {};
  for (let i = 0; i < 100000; i++) chain = new Proxy(chain, {});
  return chain.x;
}
