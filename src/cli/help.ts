import type { Command } from "./command.ts";

/** Formats rows of two cells. The second cells are aligned. */
export function formatColumns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join("\n");
}

/** Lists all commands, or the commands of one group such as `user`. */
export function formatOverview(commands: readonly Command[], group: string | undefined): string {
  const inGroup = commands.filter(({ name }) => name.startsWith(`${group} `));
  const rows = (inGroup.length > 0 ? inGroup : commands).map((c) => [c.name, c.summary] as const);
  return `holdfast: token authentication that stays correct and stays up

Usage: holdfast COMMAND [OPTIONS]

${formatColumns(rows)}

Options:
  --help     explain a command, with examples
  --version  print the version

Examples:
  holdfast serve
  holdfast user add alice --scope orders:read
  holdfast revoke --user alice

Commands work on the data in HOLDFAST_DATA_DIR (./holdfast-data). All but restore, migrate and keys import may run
beside the service.
Exit codes: 0 done, 1 failed, 2 the command line was not understood.`;
}

/** Explains one command: usage, options, examples and notes. */
export function formatHelp({ name, summary, operands, options = {}, examples, notes }: Command): string {
  const own = Object.entries(options).map(
    ([option, { value, help: text }]) => [[`--${option}`, value].join(" ").trim(), text] as const,
  );
  return [
    `holdfast ${name}: ${summary}`,
    `Usage: holdfast ${[name, ...operands, "[OPTIONS]"].join(" ")}`,
    `Options:\n${formatColumns([...own, ["--help", "print this"]])}`,
    `Examples:\n${examples.map((example) => `  ${example}`).join("\n")}`,
    ...(notes === undefined ? [] : [notes]),
  ].join("\n\n");
}
