// tries: to answer a generator where one answer is expected.
// expect: error INTERNAL generator

export default async function () {
  return (function* () { for (;;) yield 1; })();
}
