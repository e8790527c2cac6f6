// tries: to have the log show values that fight back.
// expect: output "fine"

export default async function () {
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const circle = {}; circle.circle = circle;
  const values = [revoked.proxy, circle, Symbol('s'), 1n, () => 1, new Proxy({}, { get() { throw 1; } }),
    { toJSON() { throw new Error('no'); } }, { get x() { throw 1; } }, Object.create(null), -0, NaN, '\ud800'];
  for (const value of values) { try { console.log(value); } catch { /* its own exception */ } }
  return 'fine';
}
