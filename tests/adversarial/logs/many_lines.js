// tries: to log without end.
// expect: error LIMIT_EXCEEDED cpu_ms
// expect: error LIMIT_EXCEEDED memory_bytes

export default async () => { for (;;) console.log("line"); };
