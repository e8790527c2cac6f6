// tries: to import a module.
// expect: rejected a tool cannot import

import fs from 'fs';
export default async () => fs.readFileSync('/etc/passwd', 'utf8');
