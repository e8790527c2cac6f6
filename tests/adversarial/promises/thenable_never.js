// tries: to answer with something that promises and never keeps it.
// expect: error INTERNAL never settle

export default async () => ({ then() {} });
