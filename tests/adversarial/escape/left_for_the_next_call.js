// tries: to leave something behind for another call of the same tool. The count is of this call only.
// expect: output [1,1,1]

let count = 0;
export default async function () {
  globalThis.left = (globalThis.left ?? 0) + 1;
  Array.prototype.left = (Array.prototype.left ?? 0) + 1;
  return [++count, globalThis.left, Array.prototype.left];
}
