import { createHmac, randomBytes } from "node:crypto";
import { createGuard, sharedSecret } from "holdfast";
import { protect } from "holdfast/express";

const issuer = "https://id.example.com";
const audience = "https://api.example.com";
const secret = randomBytes(32);
const guard = createGuard({ issuer, audience, keys: sharedSecret(secret, "HS256") });

function sign(claims: object): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

async function main(): Promise<void> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer, aud: audience, sub: "alice", iat: now, exp: now + 60 };
  const verdict = await guard.validate(sign(claims));
  // The type of the verdict is checked here: only a valid one has a subject.
  if (verdict.status !== "valid" || verdict.subject !== "alice") throw new Error(verdict.status);
  if (typeof protect(guard) !== "function") throw new Error("protect must return a middleware");
  await guard.close();
  console.log("passed");
}

void main();
