// tries: to bring a source that is longer than it may be.
// expect: rejected LIMIT_EXCEEDED source_bytes
// repeat: @LONG@ 300000 x

export default async () => 1;
// @LONG@
