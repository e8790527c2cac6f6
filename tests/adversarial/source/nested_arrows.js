// tries: to exhaust the stack of the compiler with nested functions.
// expect: rejected nest
// repeat: @OPEN@ 40000 x=>

export default async () => @OPEN@1;
