import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { createSigner } from "fast-jwt";
import { isHoldfastError, type Guard } from "../../src/index.ts";
import { linkPackage } from "../support/link-packages.ts";
import { readBlocks } from "./coming-from/page.ts";

type CreateGuard = (key: string) => Guard;

test("the guards with a PEM and with a secret on the index page accept the tokens of another library", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-coming-from-keys-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "node_modules"));
  linkPackage(join(folder, "node_modules"), "holdfast-guard");
  const code = readBlocks("index", "ts").find((block) => block.includes("guardWithPem"));
  assert.ok(code !== undefined);
  writeFileSync(join(folder, "guards.ts"), code);
  const guards = (await import(pathToFileURL(join(folder, "guards.ts")).href)) as Record<
    "guardWithPem" | "guardWithSecret" | "guardOfOwnTokens",
    CreateGuard
  >;
  const validate = async (guard: Guard, token: string) => {
    t.after(async () => await guard.close());
    return (await guard.validate(token)).status;
  };
  const claims = { sub: "ann" };
  const named = { iss: "https://id.example.com", aud: "https://api.example.com", expiresIn: 60_000 };

  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = publicKey.export({ format: "pem", type: "spki" }) as string;
  const key = privateKey.export({ format: "pem", type: "pkcs8" }) as string;
  const signed = createSigner({ key, algorithm: "RS256", ...named })(claims);
  assert.equal(await validate(guards.guardWithPem(pem), signed), "valid");

  const secret = randomBytes(24).toString("base64url"); // a text of 32 characters
  const sealed = createSigner({ key: secret, algorithm: "HS256", ...named })(claims);
  assert.equal(await validate(guards.guardWithSecret(secret), sealed), "valid");
  const own = createSigner({ key: secret, algorithm: "HS256", expiresIn: 60_000 })(claims);
  assert.equal(await validate(guards.guardOfOwnTokens(secret), own), "valid");
  assert.equal(await validate(guards.guardWithSecret(secret), own), "invalid", "without iss");
  assert.throws(
    () => guards.guardWithSecret("short"),
    (error) => isHoldfastError(error, "invalid_key"),
  );
});
