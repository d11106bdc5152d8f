import { keyState } from "../server/admin-page.ts";
import { withService } from "../server/with-service.ts";
import type { Command } from "./command.ts";

export const keysList: Command = {
  name: "keys list",
  summary: "list the signing keys: id, algorithm, made, state",
  operands: [],
  examples: ["holdfast keys list"],
  async run() {
    return await withService(async ({ issuer }) => {
      for (const key of await issuer.keys.list()) {
        const made = new Date(key.createdAt).toISOString();
        console.log([key.kid, key.algorithm, made, keyState(key, Date.now())].join("\t"));
      }
      return 0;
    });
  },
};

export const keysRotate: Command = {
  name: "keys rotate",
  summary: "sign with the next key from now on",
  operands: [],
  examples: ["holdfast keys rotate"],
  notes:
    "Tokens signed so far stay valid. A running service takes the next key within a minute. To end the tokens of a\n" +
    "key that was stolen: holdfast revoke --key ID.",
  async run() {
    return await withService(async ({ issuer }) => {
      await issuer.keys.rotate();
      const signing = (await issuer.keys.list()).find((key) => keyState(key, Date.now()) === "signs");
      console.log(`signs now: ${signing?.kid}`);
      return 0;
    });
  },
};
