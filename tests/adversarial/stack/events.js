// tries: to recurse through listeners that dispatch again.
// expect: error LIMIT_EXCEEDED stack_bytes
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: output "fine"
// expect: error INTERNAL uncaught

export default async function () {
  const target = new EventTarget();
  target.addEventListener('x', () => target.dispatchEvent(new Event('x')));
  target.dispatchEvent(new Event('x'));
  return 'fine';
}
