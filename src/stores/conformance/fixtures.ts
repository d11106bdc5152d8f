import assert from "node:assert/strict";
import type { Revocation } from "../../core/revocation.ts";
import type {
  Rotation,
  RotationOutcome,
  SessionPage,
  SessionPosition,
  SessionRecord,
} from "../session-store.ts";
import type { SessionCap } from "../session-cap.ts";
import type { Store } from "../store.ts";
import { ABSOLUTE_MS, CONFLICT_MS, IDLE_MS, ISSUER, LOST_ANSWER_MS } from "./constants.ts";

/** Stands for the keyed digest of a refresh token. */
export function digest(id: string, generation: number): string {
  return `digest of ${id}/${generation}`;
}

/** Creates a session for credentials that were checked when `mark` was read. */
export async function createSession(
  store: Store,
  id: string,
  mark: number,
  subject = "alice",
  { idleMs = IDLE_MS, cap }: { idleMs?: number; cap?: SessionCap } = {},
): ReturnType<Store["sessions"]["create"]> {
  const authAt = await store.now();
  const session = {
    id,
    subject,
    authAt,
    absoluteExpiresAt: authAt + ABSOLUTE_MS,
    facts: `{"of":"${id}"}`,
    mac: `mac of ${id}`,
    currentDigest: digest(id, 1),
    idleMs,
    mark,
  };
  return await store.sessions.create(session, cap);
}

export async function logIn(store: Store, id: string, subject = "alice"): Promise<SessionRecord> {
  let created = await createSession(store, id, await store.sessions.mark(), subject);
  // A mark of the same millisecond as a cut-off may be lower than its number.
  if (created.status === "superseded") created = await createSession(store, id, created.number, subject);
  assert.equal(created.status, "created");
  return created.session;
}

/** Returns the ids of the live sessions of alice, read in pages of two. */
export async function listIds(store: Store): Promise<string[]> {
  const ids: string[] = [];
  for (let after: SessionPosition | null = null; ;) {
    const page: SessionPage = await store.sessions.listBySubject("alice", { after, limit: 2 });
    ids.push(...page.sessions.map(({ id }) => id));
    after = page.next;
    if (after === null) return ids;
  }
}

/** Presents the refresh token of `generation`. */
export async function present(
  store: Store,
  id: string,
  generation: number,
  changes: Partial<Rotation> = {},
): Promise<RotationOutcome> {
  return await store.sessions.rotate({
    sessionId: id,
    generation,
    presentedDigest: digest(id, generation),
    successorDigest: digest(id, generation + 1),
    sealedSuccessor: `sealed ${id}/${generation + 1}`,
    issuedAt: null,
    expiresAt: null,
    lostAnswerMs: LOST_ANSWER_MS,
    conflictMs: CONFLICT_MS,
    onReuse: changes.onReuse ?? (await makeRevocation(store, "session", id)),
    ...changes,
  });
}

/** Acknowledges the refresh token of `generation`. */
export async function acknowledge(
  store: Store,
  id: string,
  generation: number,
  tokenDigest: string | null = digest(id, generation),
): Promise<"acknowledged" | "unchanged"> {
  return await store.sessions.acknowledge({ sessionId: id, generation, digest: tokenDigest });
}

/** A revocation that is in force for an hour. */
export async function makeRevocation(
  store: Store,
  kind: "token" | "session" | "key",
  id: string,
): Promise<Revocation> {
  return { kind, id, issuer: ISSUER, until: (await store.now()) + 3_600_000 };
}

export async function subjectScope(store: Store): Promise<{ issuer: string; until: number }> {
  return { issuer: ISSUER, until: (await store.now()) + 3_600_000 };
}

/** Returns the entries in force, and the end of the log. */
export async function readLog(store: Store): Promise<{ kinds: string[]; seq: number }> {
  const { entries, position } = await store.revocations.snapshot();
  return { kinds: entries.map((e) => `${e.revocation.kind} ${e.revocation.id}`), seq: position.seq };
}
