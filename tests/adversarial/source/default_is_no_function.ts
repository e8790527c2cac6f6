// tries: to be a tool that cannot be called, under another name.
// expect: rejected the default export is

const tool = { call: async () => 1 };
export default tool;
