import { HoldfastError } from "../core/errors.ts";
import { withService } from "../server/maintenance/with-service.ts";
import type { Service } from "../server/service.ts";
import { UsageError, type Command } from "./command.ts";

/** The actor of the audit events of these commands. */
export const ACTOR = "command line";

const atOnce =
  "A running service refuses the user's tokens within half a second, and closes open connections.";

type Users = Service["issuer"]["users"];

/**
 * Calls one method of `issuer.users` for the user that the operand names, and prints `done` and the name. Whoever runs
 * commands owns the store and can add an administrator, so the last one is no exception here.
 */
async function act(
  username: string,
  done: string,
  action: (users: Users, options: { actor: string; force?: boolean }) => Promise<string>,
): Promise<number> {
  return await withService(async ({ issuer }) => {
    let outcome = await action(issuer.users, { actor: ACTOR });
    if (outcome === "last_administrator") {
      outcome = await action(issuer.users, { actor: ACTOR, force: true });
      const repair =
        done === "disabled"
          ? `holdfast user enable ${username} restores this one`
          : "holdfast user scopes NAME --scope holdfast:admin makes one";
      console.error(`note: no administrator is left; ${repair}`);
    }
    if (outcome === "unknown") throw new HoldfastError("invalid_option", `there is no user ${username}`);
    console.log(`${done} ${username}`);
    if (outcome === "removed_sessions_unknown") {
      console.error(
        "note: no session was ended, because the record was damaged and its subject is not known; " +
          "holdfast session end --user SUBJECT ends them when the audit trail has the subject",
      );
    }
    return 0;
  });
}

export const userDisable: Command = {
  name: "user disable",
  summary: "refuse all logins of a user and end all of the user's sessions",
  operands: ["NAME"],
  examples: ["holdfast user disable alice"],
  notes: atOnce,
  run: async ({ operands: [name = ""] }) =>
    await act(name, "disabled", async (users, options) => await users.disable(name, options)),
};

export const userEnable: Command = {
  name: "user enable",
  summary: "let a disabled user log in again",
  operands: ["NAME"],
  examples: ["holdfast user enable alice"],
  run: async ({ operands: [name = ""] }) =>
    await act(name, "enabled", async (users, options) => await users.enable(name, options)),
};

export const userRemove: Command = {
  name: "user remove",
  summary: "end all sessions of a user and remove the user",
  operands: ["NAME"],
  examples: ["holdfast user remove alice"],
  notes: atOnce,
  run: async ({ operands: [name = ""] }) =>
    await act(name, "removed", async (users, options) => await users.remove(name, options)),
};

export const userScopes: Command = {
  name: "user scopes",
  summary: "set the scopes of a user",
  operands: ["NAME"],
  options: {
    scope: {
      value: "SCOPE",
      help: "a scope of the complete list; may be repeated. Every other scope is taken away",
    },
    none: { help: "take all scopes away" },
    sessions: { value: "keep", help: "keep the sessions when a scope is lost: it ends at the next refresh" },
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
    return await act(name, "set the scopes of", async (users, rights) => {
      return await users.setScopes(name, scopes, {
        ...rights,
        sessions: sessions === undefined ? "end" : "keep",
      });
    });
  },
};
