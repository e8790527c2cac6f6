// tries: to answer a function.
// expect: error INTERNAL not JSON

export default async () => () => 1;
