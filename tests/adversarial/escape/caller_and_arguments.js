// tries: to walk up the stack with caller, callee and arguments to functions of the host.
// expect: output {"escaped":false}
// env: time/now

export default async function (input, env) {
  const ways = [
    () => (function probe() { return probe.caller; })(),
    () => (function () { return arguments.callee; })(),
    () => env.invoke.caller,
    () => env.invoke.arguments,
  ];
  const escaped = ways.some((way) => { try { return typeof way() === 'function'; } catch { return false; } });
  return { escaped };
}
