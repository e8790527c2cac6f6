// tries: to compute for ever before anything is called.
// expect: rejected LIMIT_EXCEEDED cpu_ms

while (true) {}
export default async () => 1;
