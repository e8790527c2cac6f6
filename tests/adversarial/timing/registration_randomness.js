// tries: to have random numbers that are the same in every call, by drawing them when it is registered.
// expect: output false

const drawn = Math.random();
export default async () => Math.random() === drawn;
