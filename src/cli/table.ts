/** The title of a column, and how many characters most of its values have. */
type Column = readonly [title: string, width: number];

/**
 * Returns what prints one row. A terminal gets the titles above the first row, in aligned columns.
 * A pipe gets tabs and no titles, so a script has one row on each line.
 */
export function createTable(
  columns: readonly Column[],
  print: (line: string) => void = console.log,
  isTerminal: boolean = process.stdout.isTTY,
): (cells: readonly string[]) => void {
  const align = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(columns[i]?.[1] ?? 0))
      .join("  ")
      .trimEnd();
  let hasTitles = false;
  return (cells) => {
    // A client chose some of the texts, so control characters must not reach the terminal.
    const shown = cells.map((cell) => cell.replaceAll(/\p{C}/gu, " "));
    if (!isTerminal) return print(shown.join("\t"));
    if (!hasTitles) print(align(columns.map(([title]) => title)));
    hasTitles = true;
    print(align(shown));
  };
}
