// tries: to learn where it lies.
// expect: rejected `import.meta` does not exist in a tool

export default async () => import.meta.url;
