type Count = { lines: number };

/** Does not compile: line 6 lacks the value. */
export default async function (input: { path: string }, env: Env): Promise<Count> {
  const { text } = await env.fs.read({ path: input.path });
  const lines: number = ;
  return { lines };
}
