// tries: to get memory that another instance, or the host, shares.
// expect: output {"escaped":false}

export default async function () {
  const ways = [
    () => new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }),
    () => Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0, 1),
  ];
  const escaped = ways.some((way) => { try { way(); return true; } catch { return false; } });
  return { escaped };
}
