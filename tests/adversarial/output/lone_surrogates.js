// tries: to answer text that is no Unicode.
// expect: output "\\ud800"
// expect: output "\ufffd"
// expect: error INTERNAL

export default async () => '\\ud800';
