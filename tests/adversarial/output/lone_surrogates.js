// tries: to answer text that is no Unicode.
// expect: output "\ufffd"
// expect: error INTERNAL the output is not JSON

export default async () => '\ud800';
