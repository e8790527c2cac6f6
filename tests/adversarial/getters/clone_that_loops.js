// tries: to compute for ever while it is copied.
// expect: error LIMIT_EXCEEDED cpu_ms

export default async () => structuredClone({ get a() { for (;;) {} } });
