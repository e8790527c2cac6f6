// tries: to have a member named __proto__ in the input become a prototype.
// expect: output {"escaped":false}
// input: {"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}

export default async function (input) {
  return { escaped: ({}).admin !== undefined || input.admin !== undefined };
}
