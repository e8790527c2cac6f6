// tries: to answer numbers that JSON has no words for.
// expect: output [null,null,null,0,1e+300]

export default async () => [NaN, Infinity, -Infinity, -0, 1e300];
