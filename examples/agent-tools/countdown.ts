/** Counts down, one item at a time. */
export default async function* (input: { from: number; every_ms?: number }, env: Env) {
  for (let left = input.from; left >= 0; left--) {
    yield { left };
    if (left > 0) await new Promise((done) => setTimeout(done, input.every_ms ?? 10));
  }
}
