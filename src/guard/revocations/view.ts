import { systemClock, type Clock } from "../../core/clock.ts";
import {
  chainDigest,
  type LogPosition,
  type Revocation,
  type RevocationEntry,
} from "../../core/revocation.ts";
import { isCutoffNumber, isCutOffToken } from "../../core/subject-cutoff.ts";
import type { JwtClaims } from "../../core/verdict.ts";
import { forEachInTurns, ownTurn } from "../../resilience/turns.ts";
import type { RevocationSnapshot, SnapshotPage } from "../../stores/store.ts";
import { KnownRevocations } from "./known-revocations.ts";

/** Longer identifiers are rejected. Without this limit a limit on the count would not limit memory. */
const MAX_ID_LENGTH = 1_024;

/** Each `add` looks at so many revocations and drops those that have expired, so that no call takes long. */
const PRUNED_PER_ADD = 32;
/** The revocations that one turn of the event loop looks at, which takes a few milliseconds. */
const PRUNED_PER_TURN = 8_000;

/** Whose token it is, as the guard's verdict says. */
interface TokenIdentity {
  readonly subject: string | undefined;
  readonly sessionId: string | undefined;
}

/**
 * The revocations of one issuer that this instance has seen. The view is pure state: entries can arrive in any
 * order and more than once, and an entry is dropped when no token that it concerns can still be valid. Sequence
 * numbers and chained digests reveal a missing entry. A missing entry never removes a known one.
 */
export class RevocationView {
  readonly #issuer: string;
  readonly #maxEntries: number;
  readonly #clock: Clock;
  readonly #known = new KnownRevocations();
  #position: LogPosition | null = null;
  #changeCount = 0;
  /** Revocations that were new or longer than the known ones, by kind. */
  readonly applied: Record<Revocation["kind"], number> = { token: 0, session: 0, key: 0, subject: 0 };
  readonly #listeners = new Set<(revocation: Revocation) => void>();
  /** Where the next `add` continues to look for expired revocations. */
  #sweep = this.#startSweep();
  /** Revocations until earlier than this time have expired, for the sweep. */
  #sweepBeforeMs = -Infinity;

  constructor(issuer: string, maxEntries: number, clock: Clock = systemClock) {
    this.#clock = clock;
    this.#issuer = issuer;
    this.#maxEntries = maxEntries;
  }

  /** The last entry before which no entry is missing. `null` when the view needs a snapshot. */
  get position(): LogPosition | null {
    return this.#position;
  }

  /** Number of changes that could revoke a token that was not revoked before. */
  get changeCount(): number {
    return this.#changeCount;
  }

  get size(): number {
    return this.#known.size;
  }

  /** Calls `listener` for each new revocation. Returns the function that unsubscribes it. */
  subscribe(listener: (revocation: Revocation) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Iterates over all revocations. Revocations that are added during the iteration may be included. */
  *revocations(): Generator<Revocation> {
    for (const revocation of this.#known) yield { ...revocation, issuer: this.#issuer };
  }

  /** Adds the revocations of an earlier process. Returns false when one is malformed or the view is full. */
  restore(revocations: Iterable<Revocation>): boolean {
    let isComplete = true;
    for (const revocation of revocations) isComplete = this.#apply(revocation) && isComplete;
    return isComplete;
  }

  /** Continues from the position of an earlier process, once all its revocations are restored. A known position stays. */
  resume(position: LogPosition): void {
    if (isPosition(position)) this.#position ??= position;
  }

  /** Adds a snapshot. Known revocations stay, even if the log has lost them. */
  load(snapshot: RevocationSnapshot): void {
    const { position, entries } = snapshot;
    let isComplete = isPosition(position);
    for (const entry of entries) isComplete = this.#apply(entry?.revocation) && isComplete;
    this.#position = isComplete ? position : null;
  }

  /**
   * The same for the pages of a snapshot of any size, without a long turn of the event loop. A check in between sees the
   * revocations that are loaded. `isStopped` ends the work, and the view stays incomplete.
   */
  async loadInTurns(pages: AsyncIterable<SnapshotPage>, isStopped: () => boolean): Promise<void> {
    let position: LogPosition | null = null;
    let isComplete = true;
    for await (const page of pages) {
      // Several views may get the same page at once, and pages may come from memory. A small snapshot needs no turn.
      if (page.next !== null || position !== null) await ownTurn(this.#clock);
      position ??= page.position;
      isComplete = isComplete && isPosition(page.position) && samePosition(position, page.position);
      const isDone = await forEachInTurns(this.#clock, page.entries, (entry) => {
        isComplete = this.#apply(entry?.revocation) && isComplete;
        return !isStopped();
      });
      const isFull = !isComplete && this.size >= this.#maxEntries;
      if (isFull || !isDone || isStopped()) return this.markIncomplete();
    }
    this.#position = isComplete ? position : null;
  }

  /** Adds entries of the log. Returns false when they do not continue the known ones, so that the tail must be read. */
  append(entries: readonly RevocationEntry[]): boolean {
    let isContiguous = true;
    for (const entry of entries) {
      if (!this.#apply(entry?.revocation)) this.#position = null;
      else if (!this.#advancePosition(entry)) isContiguous = false;
    }
    return isContiguous && this.#position !== null;
  }

  /** The same for a tail of any size, without a long turn of the event loop. */
  async appendInTurns(entries: readonly RevocationEntry[]): Promise<boolean> {
    let isContiguous = true;
    await forEachInTurns(this.#clock, entries, (entry) => {
      isContiguous = this.append([entry]) && isContiguous;
    });
    return isContiguous && this.#position !== null;
  }

  /** Adds a revocation that is in no log, such as a denial by the authority. Returns false when the view is full. */
  add(revocation: Revocation, nowMs: number): boolean {
    this.#sweepBeforeMs = nowMs;
    for (let left = PRUNED_PER_ADD; left > 0; left--) {
      if (this.#sweep.next().done !== true) continue;
      this.#sweep = this.#startSweep();
      break;
    }
    return this.#apply(revocation);
  }

  #startSweep(): Generator<void, undefined> {
    return this.#known.drop((until) => until < this.#sweepBeforeMs);
  }

  /** Forgets the position, because the log differs from the one read so far. The next read is a snapshot. */
  markIncomplete(): void {
    this.#position = null;
  }

  /**
   * Whether the token is revoked: by its `jti`, by `signedDigest`, by its session or subject, or by the `kid` of the
   * key that signed it. The subject and the session may stand in other claims than `sub` and `sid`. A revocation counts until
   * it is pruned, also past its `until`: every token that it concerns has expired by then, and clocks may differ.
   */
  isRevoked(
    claims: Readonly<JwtClaims>,
    kid: string | undefined,
    signedDigest?: string,
    { subject, sessionId }: TokenIdentity = { subject: claims.sub, sessionId: claims.sid },
  ): boolean {
    const { jti } = claims;
    const { token, session, key } = this.#known;
    if (token.size > 0 && jti !== undefined && token.has(jti)) return true;
    if (token.size > 0 && signedDigest !== undefined && token.has(signedDigest)) return true;
    if (session.size > 0 && sessionId !== undefined && session.has(sessionId)) return true;
    if (key.size > 0 && kid !== undefined && key.has(kid)) return true;
    if (this.#known.subject.size === 0 || subject === undefined) return false;
    const cutoff = this.#known.cutoffOf(subject);
    return cutoff !== undefined && isCutOffToken(cutoff, claims);
  }

  /** Drops revocations whose tokens have all expired before `nowMs`, epoch milliseconds. */
  prune(nowMs: number): void {
    for (const _ of this.#known.drop((until) => until < nowMs));
  }

  /** The same without a long turn of the event loop. */
  async pruneInTurns(nowMs: number): Promise<void> {
    const dropping = this.#known.drop((until) => until < nowMs);
    await forEachInTurns(this.#clock, dropping, () => {}, PRUNED_PER_TURN);
  }

  /** Returns true when the entry continues the known ones or is one of them. */
  #advancePosition(entry: RevocationEntry): boolean {
    const from = this.#position;
    if (from === null) return false;
    const { seq, chain, at, revocation } = entry;
    // A known entry. A different digest at the same number means a different log.
    if (seq < from.seq) return true;
    if (seq === from.seq) return chain === from.chain;
    if (seq !== from.seq + 1 || chain !== chainDigest(from.chain, seq, at, revocation)) return false;
    this.#position = { epoch: from.epoch, seq, chain };
    return true;
  }

  /** Adds a revocation. Returns false when it is malformed or the view is full, which leaves the view incomplete. */
  #apply(revocation: Revocation | undefined): boolean {
    if (!isRevocation(revocation)) return false;
    if (revocation.issuer !== this.#issuer) return true;
    if (this.size >= this.#maxEntries && !this.#known.has(revocation)) return false;
    if (!this.#known.add(revocation)) return true;
    this.#changeCount++;
    this.applied[revocation.kind]++;
    for (const listener of this.#listeners) listener(revocation);
    return true;
  }
}

function isPosition(value: LogPosition): boolean {
  return (
    typeof value?.epoch === "string" &&
    typeof value.chain === "string" &&
    Number.isSafeInteger(value.seq) &&
    value.seq >= 0
  );
}

function samePosition(a: LogPosition, b: LogPosition): boolean {
  return a.epoch === b.epoch && a.seq === b.seq && a.chain === b.chain;
}

/** The feed can be a third party's, so every member of an entry is checked. */
function isRevocation(value: Revocation | undefined): value is Revocation {
  if (typeof value !== "object" || value === null) return false;
  const { kind, issuer, id, until } = value;
  if (typeof issuer !== "string" || typeof id !== "string" || id.length > MAX_ID_LENGTH) return false;
  if (typeof until !== "number" || Number.isNaN(until)) return false;
  if (kind === "subject") {
    return Number.isFinite(value.before) && (value.number === undefined || isCutoffNumber(value.number));
  }
  return kind === "token" || kind === "session" || kind === "key";
}
