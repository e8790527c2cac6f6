// tries: to construct through a very long chain of classes.
// expect: error LIMIT_EXCEEDED stack_bytes
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: output 1

export default async function () {
  let type = class { constructor() { this.n = 1; } };
  for (let i = 0; i < 20000; i++) type = class extends type {};
  return new type().n;
}
