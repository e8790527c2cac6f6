// tries: to get hold of something after its memory was given back.
// expect: output {"escaped":false}

export default async function () {
  const made = [];
  const registry = new FinalizationRegistry((held) => { made.push(held); });
  const refs = [];
  for (let i = 0; i < 200; i++) {
    const object = { i, self: null };
    object.self = object;
    registry.register(object, { i });
    refs.push(new WeakRef(object));
    if (i % 50 === 0) await null;
  }
  const wrong = refs.filter((ref, i) => ref.deref() !== undefined && ref.deref().i !== i);
  return { escaped: wrong.length > 0 };
}
