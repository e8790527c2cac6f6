// tries: to catch the end of the stack and go on from there.
// expect: error LIMIT_EXCEEDED stack_bytes
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error INTERNAL uncaught

export default async function () {
  function down() { try { return 1 + down(); } catch { return down(); } }
  return down();
}
