// tries: to have the function itself fight back when it is called.
// expect: output "called"
// expect: rejected no default export

export default new Proxy(async () => 'never', { apply: () => 'called', get() { throw new Error('read'); } });
