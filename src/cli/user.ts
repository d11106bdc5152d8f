import { HoldfastError } from "../core/errors.ts";
import { withService } from "../server/maintenance/with-service.ts";
import type { Command } from "./command.ts";
import { readSecret } from "./secret-input.ts";
import { ACTOR } from "./user-rights.ts";

const passwordNote =
  "The command asks for the password on the terminal, or reads it from standard input. Other users can see arguments.";

export const userAdd: Command = {
  name: "user add",
  summary: "add a user",
  operands: ["NAME"],
  options: { scope: { value: "SCOPE", help: "grant a scope; may be repeated" } },
  examples: [
    "holdfast user add alice --scope orders:read --scope orders:write",
    "holdfast user add bob < password.txt",
  ],
  notes: passwordNote,
  async run({ operands: [username = ""], options }) {
    const password = await readSecret("New password", { twice: true });
    const scopes = options["scope"] ?? [];
    return await withService(async ({ issuer }) => {
      if ((await issuer.users.add({ username, password, scopes }, { actor: ACTOR })) === "exists") {
        throw new HoldfastError("invalid_option", `there is a user ${username} already`);
      }
      console.log(`added ${username}`);
      return 0;
    });
  },
};

export const userPassword: Command = {
  name: "user password",
  summary: "set a user's password and end all of the user's sessions",
  operands: ["NAME"],
  examples: ["holdfast user password alice"],
  notes: passwordNote,
  async run({ operands: [username = ""] }) {
    const password = await readSecret("New password", { twice: true });
    return await withService(async ({ issuer }) => {
      if ((await issuer.users.setPassword(username, password, { actor: ACTOR })) === "unknown") {
        throw new HoldfastError("invalid_option", `there is no user ${username}`);
      }
      console.log(`changed the password, and ended the sessions of ${username}`);
      return 0;
    });
  },
};

/** The name of the command in earlier versions. */
export const userPasswd: Command = {
  ...userPassword,
  name: "user passwd",
  summary: "the same as user password",
};

const PAGE = 500;

export const userList: Command = {
  name: "user list",
  summary: "list users: name, subject, scopes, and whether they are disabled",
  operands: [],
  examples: ["holdfast user list"],
  async run() {
    return await withService(async ({ issuer }) => {
      let after: string | undefined;
      for (;;) {
        const users = await issuer.users.list(after === undefined ? { limit: PAGE } : { after, limit: PAGE });
        for (const { username, subject, scopes, disabledAt } of users) {
          const state = disabledAt === null ? [] : ["disabled"];
          console.log([username, subject, scopes.join(" "), ...state].join("\t"));
        }
        if (users.length === 0) return 0;
        after = users.at(-1)?.username;
      }
    });
  },
};
