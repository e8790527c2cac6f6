// tries: to break what the host's library for scripts is made of, and to see inside of it. It breaks its own call at most.
// expect: output ["https://a.example/x?y=1","4pyT",3,true]
// expect: error INTERNAL uncaught Error: patched

const spy = () => { throw new Error('patched'); };
const types = [Array, String, Map, Set, Uint8Array];
for (let t = 0; t < types.length; t++) {
  const keys = Reflect.ownKeys(types[t].prototype);
  for (let k = 0; k < keys.length; k++) {
    if (typeof keys[k] === 'symbol' || keys[k] === 'constructor' || keys[k] === 'length') continue;
    try { Object.defineProperty(types[t].prototype, keys[k], { value: spy, writable: true }); } catch { /* stays */ }
  }
}
Object.defineProperty(Object.prototype, 'get', { value: undefined, writable: true });
export default async function () {
  const url = new URL('/x?y=1', 'https://a.example').href;
  const text = btoa('\xe2\x9c\x93');
  const bytes = new TextEncoder().encode('\u2713').byteLength;
  const answer = [url, text, bytes, structuredClone({ a: [1] }).a[0] === 1];
  return answer;
}
