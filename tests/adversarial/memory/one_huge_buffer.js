// tries: to take more than there is at once.
// expect: error LIMIT_EXCEEDED memory_bytes

export default async () => new ArrayBuffer(2 ** 31 - 1).byteLength;
