// tries: to answer with a proxy that was revoked.
// expect: error INTERNAL uncaught TypeError

export default async function () {
  const { proxy, revoke } = Proxy.revocable({}, {});
  Promise.resolve().then(revoke);
  return new Promise((done) => { done({ proxy }); });
}
