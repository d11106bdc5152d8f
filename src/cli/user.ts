import { HoldfastError } from "../core/errors.ts";
import { withService } from "../server/maintenance/with-service.ts";
import type { Command } from "./command.ts";
import { readSecret } from "./secret-input.ts";

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
      if ((await issuer.users.add({ username, password, scopes })) === "exists") {
        throw new HoldfastError("invalid_option", `there is a user ${username} already`);
      }
      console.log(`added ${username}`);
      return 0;
    });
  },
};

export const userPasswd: Command = {
  name: "user passwd",
  summary: "set a user's password and end all of the user's sessions",
  operands: ["NAME"],
  examples: ["holdfast user passwd alice"],
  notes: passwordNote,
  async run({ operands: [username = ""] }) {
    const password = await readSecret("New password", { twice: true });
    return await withService(async ({ issuer }) => {
      if ((await issuer.users.setPassword(username, password)) === "unknown") {
        throw new HoldfastError("invalid_option", `there is no user ${username}`);
      }
      console.log(`changed the password, and ended the sessions of ${username}`);
      return 0;
    });
  },
};

const PAGE = 500;

export const userList: Command = {
  name: "user list",
  summary: "list users: name, subject, scopes",
  operands: [],
  examples: ["holdfast user list"],
  async run() {
    return await withService(async ({ issuer }) => {
      let after: string | undefined;
      for (;;) {
        const users = await issuer.users.list(after === undefined ? { limit: PAGE } : { after, limit: PAGE });
        for (const user of users)
          console.log([user.username, user.subject, user.scopes.join(" ")].join("\t"));
        if (users.length < PAGE) return 0;
        after = users.at(-1)?.username;
      }
    });
  },
};
