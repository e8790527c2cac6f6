// tries: to see and change what the host answers through a patched then.
// expect: output true
// env: time/now

const seen = [];
const real = Promise.prototype.then;
Promise.prototype.then = function (done, failed) {
  return real.call(this, (value) => { seen.push(value); return done?.('changed'); }, failed);
};
export default async function (input, env) {
  const answer = await env.time.now();
  return answer !== 'changed';
}
