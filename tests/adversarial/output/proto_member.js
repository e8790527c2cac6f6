// tries: to answer members that a careless reader takes for a prototype.
// expect: output {"__proto__":{"admin":true}}

export default async () => JSON.parse('{"__proto__":{"admin":true}}');
