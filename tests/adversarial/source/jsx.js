// tries: to be another language.
// expect: rejected JSX

export default async () => <div>{1}</div>;
