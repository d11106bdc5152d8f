/*
 * Writes docs/reference/cli.md from the commands of src/cli. A test compares the page with what this script returns.
 *
 *     node scripts/cli-reference.ts
 */
import { writeFileSync } from "node:fs";
import type { Command } from "../src/cli/command.ts";
import { commands } from "../src/cli/run.ts";
import { serveCommand } from "../src/cli/serve.ts";

const introduction = `# Commands

You look up a command of \`holdfast\` and its options. This page has what \`holdfast COMMAND --help\` prints.

Run \`npx holdfast\` where the package is installed. A command works on the data in \`HOLDFAST_DATA_DIR\`, with the
[settings](settings.md) of the service. All commands but \`restore\`, \`migrate\` and \`keys import\` may run beside the service.

The exit code is 0 for success, 1 for a failure, and 2 for a command line that was not understood. \`holdfast doctor\`
has [further codes](../run/doctor.md).
`;

const cell = (text: string) => text.replaceAll("|", "\\|");
const sentence = (text: string) => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;

/** The further facts of a command. The settings of the service have a page of their own. */
function notesOf(command: Command): string[] {
  if (command.notes === undefined) return [];
  if (command !== serveCommand) return [command.notes];
  const [first = ""] = command.notes.split("\n\n");
  return [`${first}\n\nThe command also prints the [settings](settings.md) with their defaults.`];
}

function describe(command: Command): string {
  const { name, summary, operands, options = {}, examples } = command;
  const rows = Object.entries(options).map(
    ([option, { value, help }]) => `| \`${cell([`--${option}`, value].join(" ").trim())}\` | ${cell(help)} |`,
  );
  return [
    `## \`holdfast ${name}\``,
    sentence(summary),
    `\`\`\`text\nholdfast ${[name, ...operands, ...(rows.length > 0 ? ["[OPTIONS]"] : [])].join(" ")}\n\`\`\``,
    ...(rows.length > 0 ? [["| option | does |", "| --- | --- |", ...rows].join("\n")] : []),
    ...notesOf(command),
    `\`\`\`sh\n${examples.join("\n")}\n\`\`\``,
  ].join("\n\n");
}

/** The text of the page. */
export function cliReference(): string {
  return `${[introduction, ...commands.map(describe)].join("\n\n").replaceAll("\n\n\n", "\n\n")}\n`;
}

if (import.meta.main) writeFileSync(new URL("../docs/reference/cli.md", import.meta.url), cliReference());
