type Todo = { path: string; line: number; text: string };

/** Finds the notes that authors left for later, by file. */
export default async function (
  input: { path?: string; glob?: string; limit?: number },
  env: Env,
): Promise<{ todos: Todo[]; files: Record<string, number>; truncated: boolean }> {
  const found = await env.fs.search({
    path: input.path ?? ".",
    pattern: "\\b(TODO|FIXME)\\b",
    regex: true,
    limit: input.limit ?? 100,
    ...(input.glob === undefined ? {} : { glob: input.glob }),
  });
  const files: Record<string, number> = {};
  for (const { path } of found.matches) {
    files[path] = (files[path] ?? 0) + 1;
  }
  const todos = found.matches.map(({ path, line, text }) => ({ path, line, text: text.trim() }));
  return { todos, files, truncated: found.truncated };
}
