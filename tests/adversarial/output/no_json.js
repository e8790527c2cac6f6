// tries: to answer what is no JSON.
// expect: error INTERNAL not JSON

export default async () => 1n;
