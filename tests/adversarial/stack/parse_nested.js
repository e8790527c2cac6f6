// tries: to have JSON parsed that nests very deeply.
// expect: error LIMIT_EXCEEDED stack_bytes

export default async () => JSON.parse('['.repeat(100000));
