// tries: to find a clock that goes backwards, or that differs from the others.
// expect: output {"escaped":false}

export default async function () {
  let last = [0, 0, 0];
  let escaped = false;
  for (let i = 0; i < 2000; i++) {
    const now = [Date.now(), new Date().getTime(), globalThis.performance?.now() ?? 0];
    if (now.some((time, n) => time < last[n])) escaped = true;
    last = now;
  }
  return { escaped };
}
