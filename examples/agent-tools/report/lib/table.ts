export interface Row {
  name: string;
  size: number;
}

/** Rows with their sizes aligned to the right. */
export function table(rows: Row[]): string {
  const width = Math.max(0, ...rows.map((row) => String(row.size).length));
  return rows.map((row) => `${String(row.size).padStart(width)}  ${row.name}`).join("\n");
}
