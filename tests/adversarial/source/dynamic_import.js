// tries: to import a module while it runs.
// expect: rejected a tool cannot import

export default async () => (await import('node:fs')).readFileSync('/etc/passwd', 'utf8');
