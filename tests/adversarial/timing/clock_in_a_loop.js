// tries: to measure less than a millisecond: clocks count whole ones, however often they are read.
// expect: output {"escaped":false}

export default async function () {
  let escaped = false;
  for (let i = 0; i < 2000; i++) {
    const times = [Date.now(), new Date().getTime(), globalThis.performance?.now() ?? 0];
    if (times.some((time) => !Number.isInteger(time))) escaped = true;
  }
  return { escaped };
}
