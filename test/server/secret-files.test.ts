import assert from "node:assert/strict";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { test } from "node:test";
import { isHoldfastError } from "../../src/core/errors.ts";
import { readSecretFiles } from "../../src/server/secret-files.ts";
import { readSettings } from "../../src/server/settings.ts";
import { temporaryDataDir } from "./temporary-settings.ts";

async function secretFile(text: string, mode = 0o600): Promise<string> {
  const file = await temporaryDataDir();
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text, { mode });
  await chmod(file, mode);
  return file;
}

const secret = "0123456789abcdef0123456789abcdef";

test("each setting with a secret can be read from a file", async () => {
  const texts = {
    HOLDFAST_SECRET: secret,
    REDIS_URL: "redis://user:password@redis.internal:6379",
    HOLDFAST_CLIENTS: "api:0123456789abcdef",
    HOLDFAST_AUTHORITY_CLIENT: "id:secret",
    HOLDFAST_BOOTSTRAP_USER: "alice:correct horse",
    HOLDFAST_ADMIN_TOKEN: secret,
  };
  for (const [name, text] of Object.entries(texts)) {
    for (const end of ["", "\n", "\r\n"]) {
      const read = await readSecretFiles({ [`${name}_FILE`]: await secretFile(text + end), PATH: "kept" });
      assert.deepEqual(read, { [name]: text, PATH: "kept" });
    }
  }
  const settings = readSettings(
    await readSecretFiles({ HOLDFAST_SECRET_FILE: await secretFile(`${secret}\n`) }),
  );
  assert.equal(settings.secret, secret);
});

test("a secret file that is missing, empty, writable by others or given twice is refused, without its text", async () => {
  const refused = [
    { HOLDFAST_SECRET_FILE: "/nowhere/secret" },
    { HOLDFAST_SECRET_FILE: "" },
    { HOLDFAST_SECRET_FILE: await secretFile("\n") },
    { HOLDFAST_SECRET_FILE: await secretFile(secret, 0o602) },
    { HOLDFAST_SECRET_FILE: await secretFile(secret), HOLDFAST_SECRET: secret },
  ];
  for (const env of refused) {
    await assert.rejects(readSecretFiles(env), (error) => {
      assert.ok(isHoldfastError(error) && error.code === "invalid_option");
      return !error.message.includes(secret);
    });
  }
});

test("a setting without a secret has no file", async () => {
  const env = await readSecretFiles({ HOLDFAST_PORT_FILE: await secretFile("4180") });
  assert.throws(() => readSettings(env), /HOLDFAST_PORT_FILE is not a setting/);
});
