// tries: to lie to the engine about what a pattern matched.
// expect: output "fine"
// expect: error INTERNAL uncaught

export default async function () {
  const pattern = /a/g;
  let turns = 0;
  pattern.exec = () => turns++ < 100 ? { index: 2 ** 53, length: 2 ** 32 - 1, 0: 'x'.repeat(1000), groups: null } : null;
  try { 'aaaa'.replace(pattern, 'y'); } catch { /* whatever it says */ }
  turns = 0;
  try { 'aaaa'.split(pattern); } catch { /* whatever it says */ }
  return 'fine';
}
