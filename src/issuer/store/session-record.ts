import { damagedSessionId } from "../../core/damaged-session.ts";
import type { SessionRecord, SessionStore } from "../../stores/session-store.ts";
import type { IssuerBase } from "../issuer-base.ts";
import { isAuthenticSession } from "./record-macs.ts";
import { rejectIfSecretReplaced } from "./secret-marker.ts";

/** The JSON in `SessionFacts.facts`. */
export interface SessionContent {
  readonly scopes: readonly string[];
  /** The audiences to which the login was narrowed. Left out when the session has all audiences of the issuer. */
  readonly audience?: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
  /** `client_id` of the access tokens. */
  readonly client: string;
  readonly device: string | null;
  /** The client's name for the device. Missing in sessions of earlier versions. */
  readonly deviceName?: string | null;
  /** The address of the login. Missing in sessions of earlier versions. */
  readonly address?: string | null;
  /**
   * The mark of the session, which its access tokens carry: a cut-off with a greater number revokes them. Left out in
   * sessions of older versions.
   */
  readonly mark?: number;
  /** Set when the application authenticated the user and began the session. */
  readonly begun?: true;
}

/** A session record whose MAC was verified. Tokens are signed only for such a record. */
export interface AuthenticSession extends SessionRecord {
  readonly content: SessionContent;
}

/** Verifies the MAC of the record and that it is session `id`. Otherwise audits `record_tampered` and returns `null`. */
export async function verifySessionRecord(
  base: IssuerBase,
  record: SessionRecord,
  id: string,
): Promise<AuthenticSession | null> {
  if (!isAuthenticSession(base.secrets, record, id)) {
    // A store leaves this record when a damaged session was ended. Nothing more is wrong with it.
    if (record.id === id && record.mac === "" && record.endedAt !== null) return null;
    await rejectIfSecretReplaced(base);
    await base.audit("record_tampered", { session: id, detail: "session" });
    return null;
  }
  return { ...record, content: JSON.parse(record.facts) as SessionContent };
}

/** Returns `damaged` when the record cannot be read, so that the session can be ended all the same. */
export async function readToEnd(
  sessions: Pick<SessionStore, "get">,
  id: string,
): Promise<SessionRecord | "damaged" | null> {
  try {
    return await sessions.get(id);
  } catch (error) {
    if (damagedSessionId(error) === id) return "damaged";
    throw error;
  }
}

/** As `findSession`. Returns `damaged` when the record cannot be read, or has no valid MAC and has not ended. */
export async function findToEnd(base: IssuerBase, id: string): Promise<AuthenticSession | "damaged" | null> {
  const record = await readToEnd(base.store.sessions, id);
  if (record === null || record === "damaged") return record;
  const session = await verifySessionRecord(base, record, id);
  return session === null && record.endedAt === null ? "damaged" : session;
}

/** `null` when the session does not exist or its record was tampered with. */
export async function findSession(base: IssuerBase, id: string): Promise<AuthenticSession | null> {
  const record = await base.store.sessions.get(id);
  return record && (await verifySessionRecord(base, record, id));
}
