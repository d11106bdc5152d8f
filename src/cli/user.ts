import { HoldfastError } from "../core/errors.ts";
import { withService } from "../server/maintenance/with-service.ts";
import { UsageError, type Command } from "./command.ts";
import { readSecret } from "./secret-input.ts";
import { createTable } from "./table.ts";
import { ACTOR } from "./user-rights.ts";

const passwordNote =
  "The command asks for the password on the terminal, or reads it from standard input. Other users can see arguments.";

export const userAdd: Command = {
  name: "user add",
  summary: "add a user",
  operands: ["NAME"],
  options: {
    scope: { value: "SCOPE", help: "grant a scope; may be repeated" },
    "password-hash": { value: "HASH", help: "the hash of another system, in place of a password" },
  },
  examples: [
    "holdfast user add alice --scope orders:read --scope orders:write",
    "holdfast user add bob < password.txt",
    "holdfast user add carol --password-hash '$2b$12$…'",
  ],
  notes: passwordNote,
  async run({ operands: [username = ""], options }) {
    const { scope: scopes = [], "password-hash": [passwordHash, ...others] = [] } = options;
    if (others.length > 0) throw new UsageError("--password-hash may be given once");
    const credential =
      passwordHash === undefined
        ? { password: await readSecret("New password", { twice: true }) }
        : { passwordHash };
    return await withService(async ({ issuer }) => {
      if ((await issuer.users.add({ username, ...credential, scopes }, { actor: ACTOR })) === "exists") {
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
      const printRow = createTable([
        ["NAME", 24],
        ["SUBJECT", 36],
        ["SCOPES", 24],
        ["STATE", 0],
      ]);
      for (;;) {
        const users = await issuer.users.list(after === undefined ? { limit: PAGE } : { after, limit: PAGE });
        for (const { username, subject, scopes, disabledAt } of users) {
          const state = disabledAt === null ? "enabled" : "disabled";
          printRow([username, subject, scopes.join(" "), state]);
        }
        if (users.length === 0) return 0;
        after = users.at(-1)?.username;
      }
    });
  },
};
