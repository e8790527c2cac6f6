// tries: to set one timer after the other without end.
// expect: error TIMEOUT
// expect: error LIMIT_EXCEEDED host_calls
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error INTERNAL uncaught

export default () => new Promise(() => { const next = () => setTimeout(next, 0); next(); });
