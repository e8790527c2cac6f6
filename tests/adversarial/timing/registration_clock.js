// tries: to keep the time of its registration: there the clock stands at 0.
// expect: output 0

const registered = Date.now();
export default async () => registered;
