// tries: to resolve a promise with itself.
// expect: error INTERNAL uncaught TypeError

export default async function () {
  let resolve;
  const promise = new Promise((done) => { resolve = done; });
  resolve(promise);
  return promise;
}
