// tries: to compute for ever in a timer.
// expect: error LIMIT_EXCEEDED cpu_ms

export default () => new Promise(() => { setTimeout(() => { for (;;) {} }, 1); });
