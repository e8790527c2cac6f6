// tries: to take memory before anything is called.
// expect: rejected LIMIT_EXCEEDED memory_bytes

const kept = [];
for (;;) kept.push(new Uint8Array(1 << 20));
export default async () => kept.length;
