/** The title of a column, and how many characters most of its values have. */
type Column = readonly [title: string, width: number];

/** Characters that a terminal shows as blanks, with invisible ones between. U+2800 is an empty pattern of Braille. */
const BLANKS =
  /[\s\u2800\u3164\uFFA0\u115F\u1160][\s\u2800\u3164\uFFA0\u115F\u1160\p{Default_Ignorable_Code_Point}]*/gu;

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
    // Two blanks separate columns, so a text with two of them would look like several columns.
    const single = shown.map((cell) => cell.replaceAll(BLANKS, " ").trim());
    if (!hasTitles) print(align(columns.map(([title]) => title)));
    hasTitles = true;
    print(align(single));
  };
}
