import { NotSimulatedError } from "../../lua/values.ts";
import type { CommandTable, KeyCommand } from "./command.ts";
import { hashCommands } from "./hashes.ts";
import { listCommands } from "./lists.ts";
import { sortedSetCommands } from "./sorted-sets.ts";
import { streamCommands } from "./streams.ts";
import { stringCommands } from "./strings.ts";

const commands: CommandTable = {
  ...stringCommands,
  ...hashCommands,
  ...listCommands,
  ...sortedSetCommands,
  ...streamCommands,
};

/** Returns the command on keys. Throws when the simulation does not have it. */
export function findCommand(name: string): KeyCommand {
  const command = commands[name.toUpperCase()];
  if (command === undefined) throw new NotSimulatedError(`the Redis command ${name}`);
  return command;
}
