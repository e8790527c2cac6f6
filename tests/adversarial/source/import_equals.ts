// tries: to import with the words of another module system.
// expect: rejected 

import fs = require('fs');
export default async () => fs.readFileSync('/etc/passwd', 'utf8');
