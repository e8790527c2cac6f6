// tries: to have the log that goes with an error be longer than the error may be.
// expect: error INTERNAL uncaught Error: end

export default async function () {
  for (let i = 0; i < 5000; i++) console.error('line ' + i + 'x'.repeat(1000));
  throw new Error('end');
}
