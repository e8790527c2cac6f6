// tries: to answer more than it may.
// expect: error LIMIT_EXCEEDED output_bytes

export default async () => 'x'.repeat(70000);
