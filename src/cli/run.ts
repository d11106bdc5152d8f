import { parseArgs } from "node:util";
import { closest, distance } from "fastest-levenshtein";
import { isHoldfastError } from "../core/errors.ts";
import { version } from "../server/version.ts";
import { audit } from "./audit.ts";
import { backup } from "./backup.ts";
import { UsageError, type Command } from "./command.ts";
import { doctor, doctorToken } from "./doctor.ts";
import { drill } from "./drill.ts";
import { breaker, keysDistrust } from "./guard.ts";
import { formatHelp, formatOverview } from "./help.ts";
import { keysExport, keysImport, keysList, keysRotate } from "./keys.ts";
import { migrate } from "./migrate.ts";
import { restore } from "./restore.ts";
import { revoke } from "./revoke.ts";
import { secretForget } from "./secret.ts";
import { serveCommand } from "./serve.ts";
import { sessionEnd, sessionList } from "./session.ts";
import { tokenInspect } from "./token.ts";
import { userAdd, userList, userPassword, userPasswd } from "./user.ts";
import { userImport } from "./user-import.ts";
import { userDisable, userEnable, userRemove, userScopes } from "./user-rights.ts";

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  serveCommand,
  userAdd,
  userList,
  userDisable,
  userEnable,
  userRemove,
  userScopes,
  userPassword,
  userPasswd,
  userImport,
  sessionList,
  sessionEnd,
  keysList,
  keysRotate,
  keysExport,
  keysImport,
  secretForget,
  keysDistrust,
  breaker,
  revoke,
  audit,
  tokenInspect,
  backup,
  restore,
  migrate,
  drill,
  // Before the command whose name is its beginning.
  doctorToken,
  doctor,
];

/** Runs one command line. Resolves with the exit code: 0 done, 1 failed, 2 not understood. */
export async function run(args: readonly string[]): Promise<number> {
  const words = args.filter((arg) => !arg.startsWith("-"));
  const command = commands.find(({ name }) => name === words.slice(0, name.split(" ").length).join(" "));
  try {
    if (args.includes("--version") && command === undefined) {
      console.log(version);
      return 0;
    }
    if (args.includes("--help") || args.includes("-h")) {
      console.log(command === undefined ? formatOverview(commands, words[0]) : formatHelp(command));
      return 0;
    }
    if (command === undefined) throw new UsageError(describeUnknownCommand(words));
    return await execute(command, args);
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`holdfast: ${error.message}`);
      return 2;
    }
    // The message of a HoldfastError is complete. Any other error is a defect, and its stack helps to report it.
    console.error(isHoldfastError(error) ? `holdfast: ${error.message.replaceAll("\n", "\n  ")}` : error);
    return 1;
  }
}

/** Describes an unknown command, and suggests a similar one. */
function describeUnknownCommand(words: readonly string[]): string {
  const [first, second] = words;
  if (first === undefined) return "a command is missing; see holdfast --help";
  const group = commands.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name);
  if (group.length > 0) return `use one of ${group.join(", ")}; see holdfast ${first} --help`;
  const likely = closest([first, second].join(" ").trim(), [
    ...commands.map(({ name }) => name),
    "user",
    "session",
    "keys",
  ]);
  const hint = distance(first, likely.split(" ", 1)[0] ?? "") <= 2 ? `did you mean ${likely}? See` : "see";
  return `there is no command ${JSON.stringify(first)}; ${hint} holdfast --help`;
}

/** Joins options and values. An id may begin with one dash, and `parseArgs` would read it as an option. */
function joinOptionValues(args: readonly string[], options: readonly string[]): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const option = joined.at(-1) ?? "";
    const isValue = options.some((name) => option === `--${name}`) && /^-[^-]/.test(arg);
    if (isValue) joined.splice(-1, 1, `${option}=${arg}`);
    else joined.push(arg);
  }
  return joined;
}

async function execute({ name, operands, options = {}, run: work }: Command, args: readonly string[]) {
  const wrong = (what: string) => new UsageError(`${what}; see holdfast ${name} --help`);
  const config = Object.entries(options).map(
    ([option, { value }]) =>
      [option, { type: value === undefined ? "boolean" : "string", multiple: true }] as const,
  );
  const withValues = Object.keys(options).filter((option) => options[option]?.value !== undefined);
  let parsed;
  try {
    parsed = parseArgs({
      args: joinOptionValues(args, withValues),
      options: Object.fromEntries(config),
      allowPositionals: true,
    });
  } catch (error) {
    throw wrong((error as Error).message.split(/[.\n]/, 1)[0] ?? "");
  }
  const given = parsed.positionals.slice(name.split(" ").length);
  const needed = operands.filter((operand) => !operand.startsWith("["));
  if (given.length < needed.length) throw wrong(`${needed[given.length]} is missing`);
  if (given.length > operands.length) throw wrong("there are too many arguments");
  const values = Object.entries(parsed.values).map(([option, list]) => [
    option,
    [list ?? []].flat().map(String),
  ]);
  return await work({
    operands: given,
    options: Object.fromEntries(values) as Parameters<typeof work>[0]["options"],
  });
}
