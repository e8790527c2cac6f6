// tries: to exhaust the stack of the compiler with nested types.
// expect: rejected nest
// repeat: @OPEN@ 30000 Array<
// repeat: @CLOSE@ 30000 >

type Deep = @OPEN@ string @CLOSE@;
export default async () => 1;
