import { readFile } from "node:fs/promises";
import { HoldfastError } from "../core/errors.ts";
import { withService } from "../server/maintenance/with-service.ts";
import { UsageError, type Command } from "./command.ts";
import { parseUserFile } from "./user-file.ts";
import { ACTOR } from "./user-rights.ts";

export const userImport: Command = {
  name: "user import",
  summary: "add users with the password hashes of another system",
  operands: ["FILE"],
  options: {
    existing: { value: "skip", help: "leave users alone who exist already, instead of importing nothing" },
  },
  examples: ["holdfast user import users.csv", "holdfast user import users.jsonl --existing skip"],
  notes: `The file is CSV with a header, or has one JSON object in each line. Its columns or members are username,
password_hash, scope (scopes separated by blanks) and disabled (true or false). The last two may be left out.
A hash is of bcrypt, scrypt, PBKDF2 or Argon2. Nothing is imported when a line cannot be.`,
  async run({ operands: [file = ""], options: { existing } }) {
    if (existing?.some((value) => value !== "skip")) throw new UsageError("--existing must be skip");
    const text = await readFile(file, "utf8").catch((cause: unknown) => {
      throw new HoldfastError("invalid_option", `${file} cannot be read`, { cause });
    });
    const users = parseUserFile(text);
    return await withService(async ({ issuer }) => {
      const result = await issuer.users.import(users, {
        actor: ACTOR,
        existing: existing === undefined ? "refuse" : "skip",
      });
      console.log(`added ${result.added} users, skipped ${result.skipped}`);
      return 0;
    });
  },
};
