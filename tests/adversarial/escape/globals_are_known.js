// tries: to find anything among all globals that is no part of the language or promised.
// expect: output {"escaped":false}

export default async function () {
  const reach = /file|socket|exec|spawn|net|http|path|memory|native|internal|ffi|syscall|import/i;
  const found = Reflect.ownKeys(globalThis).filter((name) => typeof name === 'string' && reach.test(name));
  return { escaped: found.filter((name) => name !== 'InternalError').length > 0 };
}
