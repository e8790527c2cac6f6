// tries: to find a clock that counts less than milliseconds.
// expect: output {"escaped":false}

export default async function () {
  const fine = [globalThis.performance?.now?.(), Date.now(), new Date().getTime()];
  return { escaped: fine.some((time) => time !== undefined && !Number.isInteger(time)) };
}
