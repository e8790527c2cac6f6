export default async (n, env) => (await Promise.all(Array.from({ length: n }, (_, k) => env.HOST.it({ k })))).length;
