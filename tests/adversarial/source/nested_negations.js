// tries: to exhaust the stack of the compiler with nested operators.
// expect: rejected nest
// repeat: @OPEN@ 100000 -

export default async () => @OPEN@1;
