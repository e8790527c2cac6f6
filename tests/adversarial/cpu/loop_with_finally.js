// tries: to catch the end of its time.
// expect: error LIMIT_EXCEEDED cpu_ms

export default async function () {
  while (true) { try { throw 1; } catch { continue; } finally { continue; } }
}
