// tries: to take memory with names of properties, each of them new.
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms

export default async function () {
  const object = {};
  for (let i = 0; ; i++) { object['name' + i] = 1; object[Symbol('s' + i)] = 1; }
}
