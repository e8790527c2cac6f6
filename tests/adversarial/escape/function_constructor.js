// tries: to make new code with the constructor of every kind of function.
// expect: output {"escaped":false}

export default async function () {
  const kinds = [() => 1, async () => 1, function* () {}, async function* () {}, class {}, Math.max];
  const escaped = kinds.some((kind) => {
    try { kind.constructor('return 1')(); return true; } catch { return false; }
  });
  return { escaped };
}
