import { hkdfSync } from "node:crypto";
import { HmacKey } from "../core/hmac.ts";

const DIGEST_BYTES = 8;

/** Returns the name of a session in the log. */
export type SessionDigest = (sessionId: string) => string;

/**
 * Names sessions by a keyed digest. The lines of one session can be joined, also those of several instances, and a reader
 * of the log learns no id. `secret` is that of the service: of a list, the first one counts.
 */
export function createSessionDigest(secret: string): SessionDigest {
  const [first = ""] = secret.split(",");
  const bytes = hkdfSync("sha256", first.trim(), "", "holdfast/1 session in logs", 32);
  const key = new HmacKey("sha256", Buffer.from(bytes));
  return (sessionId) => key.digest(sessionId).subarray(0, DIGEST_BYTES).toString("hex");
}
