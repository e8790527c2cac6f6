// tries: to read freed elements by changing an array while the engine works on it.
// expect: output {"escaped":false}

export default async function () {
  const marks = new Set([1, 2, 3, 4, 5, undefined, null]);
  let escaped = false;
  const check = (list) => { for (const item of list) if (!marks.has(item)) escaped = true; };
  const a = [5, 4, 3, 2, 1];
  a.sort((x, y) => { a.length = 0; a.push(1); return x - y; });
  check(a);
  const b = [1, 2, 3, 4, 5];
  check(b.map((x) => { b.length = 1; return x; }));
  const c = [1, 2, 3, 4, 5];
  Object.defineProperty(c, 0, { get() { c.length = 1; return 1; }, configurable: true });
  check(c.slice());
  check(Array.prototype.concat.call([], c));
  const d = [1, 2, 3, 4, 5];
  check(d.splice(0, { valueOf() { d.length = 2; return 5; } }));
  return { escaped };
}
