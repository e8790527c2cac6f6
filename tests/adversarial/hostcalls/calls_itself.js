// tries: to call itself without end. The depth of calls ends it.
// expect: error INTERNAL
// expect: error LIMIT_EXCEEDED
// env: session/hostile

export default async (input, env) => env.invoke('session/hostile', null);
