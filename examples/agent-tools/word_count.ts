/** Counts the words of the text files in a folder. */
export default async function (
  input: { dir: string; files_max?: number },
  env: Env,
): Promise<{ words: number; files: number; skipped: number }> {
  const { entries } = await env.fs.list({ path: input.dir, limit: 1000 });
  const files = entries.filter((entry) => entry.kind === "file").slice(0, input.files_max ?? 100);
  const counts = await Promise.all(files.map((file) => wordsOf(file.path, env)));
  const known = counts.filter((count) => count !== null);
  return {
    words: known.reduce((sum, count) => sum + count, 0),
    files: known.length,
    skipped: counts.length - known.length,
  };
}

/** The words of the first 64 KiB of a file, or null when it is no text. */
async function wordsOf(path: string, env: Env): Promise<number | null> {
  try {
    const { text } = await env.fs.read({ path, bytes_max: 65536 });
    return (text ?? "").split(/\s+/).filter((word) => word !== "").length;
  } catch (error) {
    if (error instanceof CallError) {
      console.warn(`${path}: ${error.code}`);
      return null;
    }
    throw error;
  }
}
