import { table, type Row } from "./lib/table";

/** The largest files of a folder, as a table of text. */
export default async function (input: { dir: string; top?: number }, env: Env): Promise<{ text: string }> {
  const { entries } = await env.fs.list({ path: input.dir });
  const files = entries.filter((entry) => entry.kind === "file");
  const rows: Row[] = files.map((file) => ({ name: file.name, size: file.size ?? 0 }));
  rows.sort((a, b) => b.size - a.size || (a.name < b.name ? -1 : 1));
  return { text: table(rows.slice(0, input.top ?? 5)) };
}
