// tries: to call with what is no name and no input.
// expect: output ["TypeError","TypeError","TypeError","TypeError","TypeError","TypeError"]
// env: time/now

export default async function (input, env) {
  const circle = {}; circle.circle = circle;
  const ways = [() => env.invoke(), () => env.invoke(5), () => env.invoke('time/now\ud800'),
    () => env.time.now(() => 1), () => env.time.now(1n), () => env.time.now(circle)];
  const seen = [];
  for (const way of ways) { try { await way(); seen.push('none'); } catch (error) { seen.push(error.name); } }
  return seen;
}
