// tries: to be a tool that cannot be called.
// expect: rejected no default export

export const tool = async () => 1;
