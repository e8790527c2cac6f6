// tries: to import from the network.
// expect: rejected 

import code from 'https://example.org/code.js';
export default async () => code;
