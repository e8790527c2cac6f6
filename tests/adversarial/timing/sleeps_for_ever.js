// tries: to wait for a moment that is weeks away.
// expect: error TIMEOUT

export default () => new Promise((done) => setTimeout(done, 2 ** 31 - 1));
