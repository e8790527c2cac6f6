// tries: to send commands to the terminal of whoever reads the log.
// expect: output "fine"

export default async function () {
  console.log('\u001b]0;owned\u0007\u001b[2J\u001b[31m', '\u202e', '\r\n{"level":"error","forged":true}', '\u0000');
  return 'fine';
}
