// tries: to get past the bound by taking another level.
// expect: output "fine"

export default async function () {
  for (const level of ['debug', 'info', 'log', 'warn', 'error']) console[level](level.repeat(20000));
  return 'fine';
}
