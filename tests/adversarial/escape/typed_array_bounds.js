// tries: to read and write beyond a buffer with views that lie about their place.
// expect: output {"escaped":false}

export default async function () {
  const buffer = new ArrayBuffer(16);
  const ways = [
    () => new Uint8Array(buffer, 8, 2 ** 32 - 1)[20],
    () => new Uint8Array(buffer, -8)[0],
    () => new DataView(buffer).getUint32(2 ** 32 - 4),
    () => new DataView(buffer).getBigUint64(15),
    () => new Uint8Array(buffer)[16],
    () => new Uint8Array(buffer).at(-17),
    () => new Uint8Array(buffer).subarray(8, 2 ** 53)[8],
    () => Uint8Array.prototype.slice.call(new Uint8Array(buffer), 0, Infinity)[16],
    () => new Uint8Array(buffer).copyWithin(0, 8, 2 ** 40)[16],
  ];
  const escaped = ways.some((way) => { try { return way() !== undefined; } catch { return false; } });
  return { escaped };
}
