// tries: to hide an import in the middle of something else.
// expect: rejected a tool cannot import

export default async () => `${((x) => x ? import(`data:text/javascript,1`) : 1)(1)}`;
