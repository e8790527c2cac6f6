// tries: to reach Function past its name: through Reflect, a Proxy, a subclass and bind.
// expect: output {"escaped":false}

export default async function () {
  const F = Object.getPrototypeOf(() => 1).constructor;
  class Sub extends F {}
  const ways = [
    () => Reflect.construct(F, ['return 1'])(),
    () => Reflect.apply(F, null, ['return 1'])(),
    () => new Proxy(F, {})('return 1')(),
    () => new Sub('return 1')(),
    () => F.bind(null, 'return 1')()(),
    () => ['return 1'].map(F)[0](),
  ];
  const escaped = ways.some((way) => { try { return way() === 1; } catch { return false; } });
  return { escaped };
}
