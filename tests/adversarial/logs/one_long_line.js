// tries: to log one line that is longer than the whole log may be.
// expect: output "fine"

export default async () => { console.log('x'.repeat(1 << 20)); return 'fine'; };
