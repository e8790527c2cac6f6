// tries: to answer and leave timers behind.
// expect: output 1
// expect: error TIMEOUT

export default async function () {
  for (let i = 0; i < 50; i++) setTimeout(() => { globalThis.left = 1; }, 2000000);
  return 1;
}
