// tries: to import a file of the host by its path.
// expect: rejected 

import secret from '../../../etc/passwd';
export default async () => secret;
