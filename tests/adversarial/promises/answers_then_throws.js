// tries: to fail in a job after it has answered.
// expect: output 1
// expect: error INTERNAL uncaught

export default async function () {
  Promise.resolve().then(() => { throw new Error('late'); });
  return 1;
}
