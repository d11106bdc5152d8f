import { createHmac, timingSafeEqual } from "node:crypto";
import type { SessionFacts, UserRecord } from "../stores/contracts.ts";
import type { SecretKeys, Secrets } from "./secrets.ts";

/*
 * Whoever writes to the store must not be able to make a user or a session: each record carries a MAC over all
 * that never changes, and is believed only after it was checked.
 */

type Unsigned<R extends { mac: string }> = Omit<R, "mac">;

function mac(key: Buffer, fields: readonly unknown[]): Buffer {
  return createHmac("sha256", key).update(JSON.stringify(fields)).digest();
}

function equal(given: string, expected: Buffer): boolean {
  const bytes = Buffer.from(given, "base64url");
  return bytes.length === expected.length && timingSafeEqual(bytes, expected);
}

function userMac(keys: SecretKeys, user: Unsigned<UserRecord>): Buffer {
  const { username, subject, passwordHash, scopes, createdAt } = user;
  return mac(keys.userMac, [username, subject, passwordHash, scopes, createdAt]);
}

function sessionMac(keys: SecretKeys, session: Unsigned<SessionFacts>): Buffer {
  const { id, subject, authAt, absoluteExpiresAt, facts } = session;
  return mac(keys.sessionMac, [id, subject, authAt, absoluteExpiresAt, facts]);
}

export function signUser(secrets: Secrets, user: Unsigned<UserRecord>): UserRecord {
  return { ...user, mac: userMac(secrets[0], user).toString("base64url") };
}

export function isOurUser(secrets: Secrets, user: UserRecord): boolean {
  return secrets.some((keys) => equal(user.mac, userMac(keys, user)));
}

export function signSession(secrets: Secrets, session: Unsigned<SessionFacts>): SessionFacts {
  return { ...session, mac: sessionMac(secrets[0], session).toString("base64url") };
}

/** Whether it is the session that was asked for, as we made it. */
export function isOurSession(secrets: Secrets, session: SessionFacts, id: string): boolean {
  return session.id === id && secrets.some((keys) => equal(session.mac, sessionMac(keys, session)));
}
