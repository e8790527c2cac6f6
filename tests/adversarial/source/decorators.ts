// tries: to run code of its own where only types are expected.
// expect: rejected 
// expect: output 1

function grab(target: any): void { globalThis.grabbed = target; }
@grab class Tool {}
export default async () => 1;
