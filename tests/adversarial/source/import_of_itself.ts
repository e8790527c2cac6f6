// tries: to import itself.
// expect: rejected 
// expect: output 1

import again from './hostile.ts';
export default async () => typeof again === 'function' ? 1 : 2;
