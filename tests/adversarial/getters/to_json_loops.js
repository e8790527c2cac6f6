// tries: to compute for ever while its answer is written.
// expect: error LIMIT_EXCEEDED cpu_ms

export default async () => ({ toJSON() { for (;;) {} } });
