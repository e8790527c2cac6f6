/** Never ends by itself: the host ends it at the limit on computing time. */
export default async function () {
  for (let turns = 0; ; turns += 1) {
    turns %= 1000;
  }
}
