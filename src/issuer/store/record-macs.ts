import { timingSafeEqual } from "node:crypto";
import type { HmacKey } from "../../core/hmac.ts";
import type { SessionFacts } from "../../stores/session-store.ts";
import type { UserRecord } from "../../stores/user-store.ts";
import type { SecretKeys, Secrets } from "../secret-keys.ts";

/*
 * An attacker who can write to the store must not be able to create a user or a session. So every record carries a MAC
 * over the fields that never change, and the issuer verifies it before it uses the record.
 */

type Unsigned<R extends { mac: string }> = Omit<R, "mac">;

function computeMac(key: HmacKey, fields: readonly unknown[]): Buffer {
  return key.digest(JSON.stringify(fields));
}

function isEqualMac(given: string, expected: Buffer): boolean {
  const bytes = Buffer.from(given, "base64url");
  return bytes.length === expected.length && timingSafeEqual(bytes, expected);
}

/**
 * The MAC of a user who is not disabled covers what the MACs of older versions cover, so that both versions accept the
 * record. An older version refuses the record of a disabled user, because its MAC covers one field more.
 */
function userMac(keys: SecretKeys, user: Unsigned<UserRecord>): Buffer {
  const { username, subject, passwordHash, scopes, createdAt, disabledAt } = user;
  const fields = [username, subject, passwordHash, scopes, createdAt];
  return computeMac(keys.userMac, disabledAt === null ? fields : [...fields, { disabledAt }]);
}

function sessionMac(keys: SecretKeys, session: Unsigned<SessionFacts>): Buffer {
  const { id, subject, authAt, absoluteExpiresAt, facts } = session;
  return computeMac(keys.sessionMac, [id, subject, authAt, absoluteExpiresAt, facts]);
}

/** The user record with its MAC under the first secret. */
export function addUserMac(secrets: Secrets, user: Unsigned<UserRecord>): UserRecord {
  return { ...user, mac: userMac(secrets[0], user).toString("base64url") };
}

export function isAuthenticUser(secrets: Secrets, user: UserRecord): boolean {
  return secrets.some((keys) => isEqualMac(user.mac, userMac(keys, user)));
}

/** The session facts with their MAC under the first secret. */
export function addSessionMac(secrets: Secrets, session: Unsigned<SessionFacts>): SessionFacts {
  return { ...session, mac: sessionMac(secrets[0], session).toString("base64url") };
}

/** Also checks the id, so that the authentic record of another session is not accepted in its place. */
export function isAuthenticSession(secrets: Secrets, session: SessionFacts, id: string): boolean {
  return session.id === id && secrets.some((keys) => isEqualMac(session.mac, sessionMac(keys, session)));
}
