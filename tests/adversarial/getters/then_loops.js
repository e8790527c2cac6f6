// tries: to compute for ever while the host looks for a then.
// expect: error LIMIT_EXCEEDED cpu_ms

export default () => ({ get then() { for (;;) {} } });
