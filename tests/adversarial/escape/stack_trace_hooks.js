// tries: to get structured stack frames, and the functions of the host in them.
// expect: output {"escaped":false}
// env: time/now

export default async function (input, env) {
  let seen = null;
  Error.prepareStackTrace = (error, frames) => { seen = frames; return frames; };
  Error.stackTraceLimit = Infinity;
  try { await env.time.now(1); } catch (error) { void error.stack; }
  const escaped = Array.isArray(seen) && seen.some((frame) => {
    try { return typeof frame.getFunction() === 'function' || typeof frame.getThis() === 'object'; }
    catch { return false; }
  });
  return { escaped: escaped && seen.some((frame) => frame.getFunction?.() !== undefined && !frame.getFileName?.()) };
}
