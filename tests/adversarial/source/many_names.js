// tries: to have the compiler keep very many names.
// expect: output 1
// expect: rejected 
// expect: rejected LIMIT_EXCEEDED
// repeat: @NAMES@ 20000 let[a]=[];

@NAMES@
export default async () => 1;
