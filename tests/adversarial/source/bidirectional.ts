// tries: to look otherwise than it runs, by characters that turn the direction of text. It runs as it is written.
// expect: output "user"

export default async function () {
  const level = 'user';
  if (level !== 'user‮ ⁦// check if admin⁩ ⁦') return level;
  return 'admin';
}
