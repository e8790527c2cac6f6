// tries: to hide code behind a comment that only some readers see.
// expect: rejected 

export default async () => 1;
<!-- hidden
