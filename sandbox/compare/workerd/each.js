export default async (n, env) => {
  let s = 0;
  for (let k = 0; k < n; k++) s += (await env.HOST.it({ k })).k;
  return s;
};
