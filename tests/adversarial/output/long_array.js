// tries: to answer a very long list.
// expect: error LIMIT_EXCEEDED output_bytes

export default async () => new Array(50000).fill(0);
