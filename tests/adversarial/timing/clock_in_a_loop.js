// tries: to measure how long something takes: the clock stands still while it computes.
// expect: output {"escaped":false}

export default async function () {
  const begun = Date.now();
  for (let i = 0; i < 300000; i++) { /* takes some milliseconds */ }
  return { escaped: Date.now() !== begun };
}
