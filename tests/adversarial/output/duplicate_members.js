// tries: to answer text of its own making in place of JSON. It stays a string.
// expect: output "{\"a\":1,\"a\":2}"

export default async () => '{"a":1,"a":2}';
