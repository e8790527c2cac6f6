// tries: to import while running, from text that no compiler sees as an import.
// expect: output {"escaped":false}

export default async function () {
  const ways = [
    () => (globalThis as any).import('fs'),
    () => Reflect.get(globalThis, 'require')('fs'),
    () => (Object.getPrototypeOf(async function () {}) as any).constructor('return import("fs")')(),
  ];
  let escaped = false;
  for (const way of ways) { try { await way(); escaped = true; } catch { /* as it must be */ } }
  return { escaped };
}
