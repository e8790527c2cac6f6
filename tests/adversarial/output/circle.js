// tries: to answer an object that holds itself.
// expect: error INTERNAL not JSON

export default async function () {
  const circle = {};
  circle.circle = circle;
  return circle;
}
