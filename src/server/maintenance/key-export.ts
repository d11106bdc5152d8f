import { scrypt } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { z } from "zod";
import { HoldfastError, systemErrorCode } from "../../core/errors.ts";
import { systemEntropy } from "../../core/entropy.ts";
import { open, seal } from "../../core/aead.ts";
import { openSigningKey, sealSigningKey } from "../../issuer/keys/sealed-key.ts";
import { deriveSecrets } from "../../issuer/secret-keys.ts";
import { importSigningKey } from "../../jwt/sign.ts";
import { writeAuditNote } from "../audit-note.ts";
import { checkFileAccess } from "../store/file-access.ts";
import { openStore } from "../store/open-store.ts";
import { fileExists, createPrivateFile } from "../store/private-file.ts";
import { loadSettings } from "../secret-files.ts";

const CONTEXT = "holdfast/1 exported signing keys";
const MIN_PASSPHRASE_BYTES = 16;
/** The cost of one guess (RFC 7914): 128 MiB and about 0.4 s. */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1, maxmem: 2 ** 28 };

const exportSchema = z.object({
  format: z.literal(CONTEXT),
  salt: z.string(),
  sealed: z.string(),
});

const keysSchema = z.array(
  z.object({
    kid: z.string(),
    algorithm: z.string(),
    createdAt: z.number(),
    activatedAt: z.number().nullable(),
    retiredAt: z.number().nullable(),
    privateJwk: z.record(z.string(), z.unknown()),
  }),
);

/** Writes every signing key to a new file. Only the passphrase opens it, so it outlives the secret and the store. */
export async function exportKeys(file: string, passphrase: string): Promise<number> {
  if (Buffer.byteLength(passphrase) < MIN_PASSPHRASE_BYTES) {
    const message = `the passphrase must be at least ${MIN_PASSPHRASE_BYTES} bytes`;
    throw new HoldfastError("invalid_option", message);
  }
  const alreadyExists = new HoldfastError(
    "invalid_option",
    `${file} exists already: an export does not replace a file`,
  );
  if (await fileExists(file)) throw alreadyExists;
  const { store, secret } = await openStore(await loadSettings(), { create: false });
  try {
    const secrets = deriveSecrets(secret);
    const keys = (await store.keys.list()).map(({ sealed, ...facts }) => {
      const signing = openSigningKey(secrets, { sealed, ...facts });
      if (signing !== null) return { ...facts, privateJwk: signing.privateJwk };
      const message = `key ${facts.kid} in ${store.description} cannot be opened with this secret`;
      throw new HoldfastError("store_mismatch", message);
    });
    const salt = systemEntropy.bytes(16);
    const plain = Buffer.from(JSON.stringify(keys));
    const sealed = seal(systemEntropy, await deriveKey(passphrase, salt), plain, CONTEXT);
    // The note comes first, so that no export exists without one.
    await writeAuditNote(store, "keys_exported", keys.map(({ kid }) => kid).join(" "));
    const text = JSON.stringify({ format: CONTEXT, salt: salt.toString("base64url"), sealed });
    if (!(await createPrivateFile(file, async (draft) => await writeFile(draft, `${text}\n`))))
      throw alreadyExists;
    return keys.length;
  } finally {
    await store.close();
  }
}

/** Creates a store with the keys in the file, and seals them under the secret of this machine. */
export async function importKeys(file: string, passphrase: string): Promise<number> {
  const keys = await readExport(file, passphrase);
  const { store, secret } = await openStore(await loadSettings(), { create: true });
  try {
    const [first] = deriveSecrets(secret);
    const records = keys.map(({ privateJwk, ...facts }) => {
      return { ...facts, sealed: sealSigningKey(systemEntropy, first, facts, importSigningKey(privateJwk)) };
    });
    const stored = await store.keys.initialise(records);
    if (stored.some(({ sealed }, i) => sealed !== records[i]?.sealed)) {
      const message = `${store.description} has signing keys already: only a new store can import keys`;
      throw new HoldfastError("store_mismatch", message);
    }
    await writeAuditNote(store, "keys_imported", records.map(({ kid }) => kid).join(" "));
    return records.length;
  } finally {
    await store.close();
  }
}

async function readExport(file: string, passphrase: string): Promise<z.output<typeof keysSchema>> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new HoldfastError("invalid_option", `${file} cannot be read (${systemErrorCode(error)})`);
  });
  await checkFileAccess(file);
  const { data } = exportSchema.safeParse(parseJson(text));
  if (data === undefined)
    throw new HoldfastError("invalid_option", `${file} is not an export of signing keys`);
  const key = await deriveKey(passphrase, Buffer.from(data.salt, "base64url"));
  const plain = open(key, data.sealed, CONTEXT);
  if (plain !== null) return keysSchema.parse(parseJson(plain.toString()));
  throw new HoldfastError("invalid_option", `the passphrase does not open ${file}, or the file is damaged`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function deriveKey(passphrase: string, salt: Buffer): Promise<Buffer> {
  return await new Promise((resolve, reject) => {
    scrypt(passphrase, salt, 32, SCRYPT, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}
