// tries: to hold its registration for ever.
// expect: rejected `await` outside a function

await new Promise(() => {});
export default async () => 1;
