const endings = [
  "rs", "ts", "js", "json", "toml", "md", "txt", "yaml", "yml", "sh",
  "py", "go", "c", "h", "cpp", "java", "html", "css", "lock", "sql",
];

/** Counts the files of a folder by their endings: one listing for each ending, all at the same time. */
export default async function (input: { path?: string }, env: Env): Promise<Record<string, number>> {
  const path = input.path ?? ".";
  const counts = await Promise.all(
    endings.map(async (ending) => {
      const { entries } = await env.fs.list({ path, glob: `*.${ending}`, limit: 1000 });
      return [ending, entries.length] as const;
    }),
  );
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}
