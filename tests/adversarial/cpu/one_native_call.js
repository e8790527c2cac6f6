// tries: to compute for ever inside one function of the engine.
// expect: error LIMIT_EXCEEDED cpu_ms

export default async () => Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);
