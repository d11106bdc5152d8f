import { HoldfastError } from "../core/errors.ts";
import { withService } from "../server/maintenance/with-service.ts";
import type { Service } from "../server/service.ts";
import { UsageError, type Command } from "./command.ts";

/** The actor of the audit events of these commands. */
export const ACTOR = "command line";

const force = { help: "also when no administrator is left" };
const atOnce =
  "A running service refuses the user's tokens within half a second, and closes open connections.";

/** Calls one method of `issuer.users` for the user that the operand names, and prints `done` and the name. */
async function act(
  username: string,
  done: string,
  action: (users: Service["issuer"]["users"]) => Promise<string>,
): Promise<number> {
  return await withService(async ({ issuer }) => {
    const outcome = await action(issuer.users);
    if (outcome === "unknown") throw new HoldfastError("invalid_option", `there is no user ${username}`);
    if (outcome === "last_administrator") {
      const message = `${username} is the last administrator: name another one first, or repeat with --force`;
      throw new HoldfastError("invalid_option", message);
    }
    console.log(`${done} ${username}`);
    return 0;
  });
}

export const userDisable: Command = {
  name: "user disable",
  summary: "refuse all logins of a user and end all of the user's sessions",
  operands: ["NAME"],
  options: { force },
  examples: ["holdfast user disable alice"],
  notes: atOnce,
  run: async ({ operands: [name = ""], options }) =>
    await act(name, "disabled", async (users) => {
      return await users.disable(name, { actor: ACTOR, force: options["force"] !== undefined });
    }),
};

export const userEnable: Command = {
  name: "user enable",
  summary: "let a disabled user log in again",
  operands: ["NAME"],
  examples: ["holdfast user enable alice"],
  run: async ({ operands: [name = ""] }) =>
    await act(name, "enabled", async (users) => await users.enable(name, { actor: ACTOR })),
};

export const userRemove: Command = {
  name: "user remove",
  summary: "end all sessions of a user and remove the user",
  operands: ["NAME"],
  options: { force },
  examples: ["holdfast user remove alice"],
  notes: atOnce,
  run: async ({ operands: [name = ""], options }) =>
    await act(name, "removed", async (users) => {
      return await users.remove(name, { actor: ACTOR, force: options["force"] !== undefined });
    }),
};

export const userScopes: Command = {
  name: "user scopes",
  summary: "set the scopes of a user",
  operands: ["NAME"],
  options: {
    scope: { value: "SCOPE", help: "grant a scope; may be repeated. Every other scope is taken away" },
    none: { help: "take all scopes away" },
    sessions: { value: "keep", help: "keep the sessions when a scope is lost: it ends at the next refresh" },
    force,
  },
  examples: [
    "holdfast user scopes alice --scope orders:read --scope orders:write",
    "holdfast user scopes bob --none",
  ],
  notes: `A new scope is in the next access token of each session. When a scope is lost, all sessions of the user end.
${atOnce}`,
  async run({ operands: [name = ""], options }) {
    const { scope: scopes = [], none, sessions } = options;
    if ((scopes.length === 0) !== (none !== undefined)) {
      throw new UsageError("give --scope or --none; see holdfast user scopes --help");
    }
    if (sessions?.some((value) => value !== "keep")) throw new UsageError("--sessions must be keep");
    return await act(name, "set the scopes of", async (users) => {
      return await users.setScopes(name, scopes, {
        actor: ACTOR,
        force: options["force"] !== undefined,
        sessions: sessions === undefined ? "end" : "keep",
      });
    });
  },
};
