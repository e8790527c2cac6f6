// tries: to make new code with the direct and the indirect eval.
// expect: output {"escaped":false}

export default async function () {
  const ways: (() => unknown)[] = [
    () => (globalThis as any).eval('1'),
    () => (0, (globalThis as any)['ev' + 'al'])('1'),
    () => Reflect.get(globalThis, 'eval')('1'),
  ];
  const escaped = ways.some((way) => { try { return way() === 1; } catch { return false; } });
  return { escaped };
}
