// tries: to take memory with maps and sets.
// expect: error LIMIT_EXCEEDED memory_bytes
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error INTERNAL uncaught InternalError

export default async function () {
  const map = new Map();
  for (let i = 0; ; i++) map.set({}, new Set([i]));
}
