// tries: to keep a view of memory that was given back, by resizing and transferring buffers in the middle of an operation.
// expect: output {"escaped":false}

export default async function () {
  let escaped = false;
  const attack = (work) => { try { if (work()) escaped = true; } catch { /* an exception is no way out */ } };
  const fresh = () => new ArrayBuffer(64, { maxByteLength: 4096 });
  attack(() => { const b = fresh(); const v = new Uint8Array(b);
    v.fill({ valueOf() { b.resize(0); return 0x41; } }); return v[0] === 0x41; });
  attack(() => { const b = fresh(); const v = new Uint8Array(b);
    v.set({ length: 32, get 0() { b.resize(0); return 0x41; } }); return v[0] === 0x41; });
  attack(() => { const b = fresh(); const v = new Float64Array(b);
    v.sort(() => { b.resize(8); return -1; }); return v[7] !== undefined; });
  attack(() => { const b = fresh(); const v = new Uint8Array(b); b.transfer(); return v[0] !== undefined; });
  attack(() => { const b = fresh(); const v = new DataView(b);
    v.setUint32(60, { valueOf() { b.resize(4); return 1; } }); return true; });
  attack(() => { const b = fresh(); const v = new Uint8Array(b);
    return v.lastIndexOf(0, { valueOf() { b.resize(1); return 63; } }) > 0; });
  return { escaped };
}
