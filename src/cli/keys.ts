import { keyState } from "../server/key-state.ts";
import { withService } from "../server/maintenance/with-service.ts";
import type { Command } from "./command.ts";
import { readSecret } from "./secret-input.ts";
import { createTable } from "./table.ts";

export const keysList: Command = {
  name: "keys list",
  summary: "list the signing keys: id, algorithm, made, state",
  operands: [],
  examples: ["holdfast keys list"],
  async run() {
    return await withService(async ({ issuer }) => {
      const printRow = createTable([
        ["ID", 43],
        ["ALGORITHM", 9],
        ["MADE", 24],
        ["STATE", 0],
      ]);
      for (const key of await issuer.keys.list()) {
        const made = new Date(key.createdAt).toISOString();
        printRow([key.kid, key.algorithm, made, keyState(key, Date.now())]);
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
    "Tokens signed so far stay valid. A running service uses the next key within a second. To end the tokens of a\n" +
    "stolen key: holdfast revoke --key ID.",
  async run() {
    return await withService(async ({ issuer }) => {
      await issuer.keys.rotate();
      const signing = (await issuer.keys.list()).find((key) => keyState(key, Date.now()) === "signs");
      console.log(`signs now: ${signing?.kid}`);
      return 0;
    });
  },
};

const passphraseNote =
  "The command asks for the passphrase on the terminal, or reads it from standard input.";

export const keysExport: Command = {
  name: "keys export",
  summary: "write the signing keys to a new file, sealed under a passphrase",
  operands: ["FILE"],
  examples: ["holdfast keys export keys.sealed", "holdfast keys export keys.sealed < passphrase.txt"],
  notes: `${passphraseNote} File and\npassphrase together can sign tokens. Keys change with every rotation, so export them again after it.`,
  async run({ operands: [file = ""] }) {
    const passphrase = await readSecret("New passphrase", { twice: true });
    const { exportKeys } = await import("../server/maintenance/key-export.ts");
    console.log(`exported ${await exportKeys(file, passphrase)} keys to ${file}`);
    return 0;
  },
};

export const keysImport: Command = {
  name: "keys import",
  summary: "create a new store with exported signing keys",
  operands: ["FILE"],
  examples: ["holdfast keys import keys.sealed"],
  notes:
    `${passphraseNote} Import\n` +
    "keys before the first start, while the store has none. Access tokens that they signed stay valid until they expire,\n" +
    "also those that were revoked in a lost store. A key that was revoked since the export is valid again.",
  async run({ operands: [file = ""] }) {
    const passphrase = await readSecret("Passphrase", { twice: false });
    const { importKeys } = await import("../server/maintenance/key-export.ts");
    console.log(`imported ${await importKeys(file, passphrase)} keys from ${file}`);
    return 0;
  },
};
