// tries: to compute for ever.
// expect: error LIMIT_EXCEEDED cpu_ms

export default async () => { while (true) {} };
