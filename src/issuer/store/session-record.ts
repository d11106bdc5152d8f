import type { SessionRecord } from "../../stores/store.ts";
import type { IssuerBase } from "../issuer-base.ts";
import { isAuthenticSession } from "./record-macs.ts";

/** What `SessionFacts.facts` says, as JSON. */
export interface SessionContent {
  readonly scopes: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
  readonly client: string;
  readonly device: string | null;
}

/** A session record whose MAC was checked: the only kind that anything is signed for. */
export interface AuthenticSession extends SessionRecord {
  readonly content: SessionContent;
}

/** `null` and an alarm when the record is not as we made it, or not the session `id`. */
export async function verifySessionRecord(
  base: IssuerBase,
  record: SessionRecord,
  id: string,
): Promise<AuthenticSession | null> {
  if (!isAuthenticSession(base.secrets, record, id)) {
    await base.audit("record_tampered", { session: id, detail: "session" });
    return null;
  }
  return { ...record, content: JSON.parse(record.facts) as SessionContent };
}

/** `null` also when there is none. */
export async function findSession(base: IssuerBase, id: string): Promise<AuthenticSession | null> {
  const record = await base.store.sessions.get(id);
  return record && (await verifySessionRecord(base, record, id));
}

/** When its refresh token ends unless it is used, epoch ms. */
export function sessionExpiresAt(session: SessionRecord): number {
  return Math.min(session.idleExpiresAt, session.absoluteExpiresAt);
}

export function isLive(session: SessionRecord, nowMs: number): boolean {
  return session.endedAt === null && nowMs < sessionExpiresAt(session);
}
