// tries: to log without end before anything is called.
// expect: rejected LIMIT_EXCEEDED

for (;;) console.log('x'.repeat(1000));
export default async () => 1;
