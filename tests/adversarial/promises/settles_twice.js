// tries: to settle its answer many times, each time otherwise.
// expect: output 1

export default () => new Promise((done, failed) => { done(1); failed(new Error('2')); done(3); throw new Error('4'); });
