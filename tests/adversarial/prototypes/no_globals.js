// tries: to remove everything that the host may lean on.
// expect: output [1,{"a":2}]

for (const key of Reflect.ownKeys(globalThis)) { try { delete globalThis[key]; } catch { /* stays */ } }
export default async () => [1, { a: 2 }];
