// tries: to have the compiler look for the end of a comment that never comes.
// expect: rejected 
// repeat: @STARS@ 50000 /*

export default async () => 1;
/* @STARS@
