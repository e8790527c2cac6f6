// tries: to look names up in an object of its own.
// expect: rejected 

export default async function (input, env) {
  with (env) { return invoke('fs/write', {}); }
}
