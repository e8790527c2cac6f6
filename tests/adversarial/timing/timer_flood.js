// tries: to have the host keep timers without end.
// expect: error INTERNAL uncaught
// expect: error LIMIT_EXCEEDED host_calls
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes

export default async function () { for (;;) setTimeout(() => {}, 1000000); }
