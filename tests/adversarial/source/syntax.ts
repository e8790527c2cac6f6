// tries: to be compiled although it is not whole.
// expect: rejected 

export default async function ( {
