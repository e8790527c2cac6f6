// tries: to exhaust the stack of the compiler with nested templates.
// expect: rejected nest
// repeat: @OPEN@ 30000 `${
// repeat: @CLOSE@ 30000 }`

export default async () => @OPEN@1@CLOSE@;
