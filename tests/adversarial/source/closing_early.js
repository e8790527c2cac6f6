// tries: to close the module and go on outside of it.
// expect: rejected 

export default async () => 1;
}); globalThis.escaped = true; (() => {
