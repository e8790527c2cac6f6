// tries: to answer what grows six times when it is written.
// expect: error LIMIT_EXCEEDED output_bytes

export default async () => '\\u0001'.repeat(12000);
