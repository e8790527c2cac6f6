// tries: to wait for ever for nothing.
// expect: error INTERNAL never settle

export default () => new Promise(() => {});
