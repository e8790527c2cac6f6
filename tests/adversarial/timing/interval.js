// tries: to be called again and again without end.
// expect: error TIMEOUT
// expect: error LIMIT_EXCEEDED host_calls
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error INTERNAL

export default () => new Promise(() => { setInterval(() => {}, 0); });
