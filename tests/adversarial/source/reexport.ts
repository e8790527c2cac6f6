// tries: to answer with a module of the host.
// expect: rejected a tool cannot import

export * from 'fs';
export { readFileSync as default } from 'fs';
