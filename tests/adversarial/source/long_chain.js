// tries: to exhaust the stack of the compiler with one long sum.
// expect: rejected 
// expect: output 30001
// repeat: @CHAIN@ 30000 1+

export default async () => @CHAIN@1;
