// tries: to exhaust the stack of the compiler with nested conditions.
// expect: rejected nest
// repeat: @OPEN@ 30000 a?
// repeat: @CLOSE@ 30000 :0

export default async () => @OPEN@1@CLOSE@;
