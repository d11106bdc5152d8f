import {
  chainDigest,
  type LogPosition,
  type Revocation,
  type RevocationEntry,
} from "../../core/revocation.ts";
import type { JwtClaims } from "../../core/verdict.ts";
import type { RevocationSnapshot } from "../../stores/store.ts";

/** Longer identifiers are not believed: they would make the bound on the count no bound on memory. */
const MAX_ID_LENGTH = 1_024;

/** What is added by hand makes room for itself from so many entries on. */
const MIN_PRUNE_SIZE = 1_000;

interface SubjectCutOff {
  readonly before: number;
  readonly until: number;
}

/**
 * What one issuer revoked, as far as this instance has seen the log. Pure state: entries only ever add, in any
 * order and any number of times, and leave when nothing they concern can be valid any more. The sequence and the
 * chain of digests tell whether something is missing; what is missing never takes away what is known.
 */
export class RevocationView {
  readonly #issuer: string;
  readonly #maxEntries: number;
  /** Identifier → `until`. */
  readonly #untilById = {
    token: new Map<string, number>(),
    session: new Map<string, number>(),
    key: new Map<string, number>(),
  };
  readonly #subjects = new Map<string, SubjectCutOff>();
  #position: LogPosition | null = null;
  #changeCount = 0;
  readonly #listeners = new Set<(revocation: Revocation) => void>();
  #pruneAt = MIN_PRUNE_SIZE;

  constructor(issuer: string, maxEntries: number) {
    this.#issuer = issuer;
    this.#maxEntries = maxEntries;
  }

  /** Up to where nothing is missing; `null` when only a snapshot can tell. */
  get position(): LogPosition | null {
    return this.#position;
  }

  /** Counts what could revoke something that was not revoked before. */
  get changeCount(): number {
    return this.#changeCount;
  }

  get size(): number {
    const { token, session, key } = this.#untilById;
    return token.size + session.size + key.size + this.#subjects.size;
  }

  /** Tells of whatever is new from now on, until the returned function is called. */
  subscribe(listener: (revocation: Revocation) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Everything it holds. What is added before the last one was taken may be among it. */
  *revocations(): Generator<Revocation> {
    const issuer = this.#issuer;
    for (const kind of ["token", "session", "key"] as const) {
      for (const [id, until] of this.#untilById[kind]) yield { kind, id, issuer, until };
    }
    for (const [id, cutOff] of this.#subjects) yield { kind: "subject", id, issuer, ...cutOff };
  }

  /** Adds what an earlier run knew. False if something is not understood or finds no room. */
  restore(revocations: Iterable<Revocation>): boolean {
    let understood = true;
    for (const revocation of revocations) understood = this.#apply(revocation) && understood;
    return understood;
  }

  /** Goes on from where an earlier run stood, if all that it knew was restored and nobody knows better. */
  resume(position: LogPosition): void {
    if (isPosition(position)) this.#position ??= position;
  }

  /** Adds a snapshot. What is known already stays, even if the log has lost it. */
  load(snapshot: RevocationSnapshot): void {
    const { position, entries } = snapshot;
    let understood = isPosition(position);
    for (const entry of entries) understood = this.#apply(entry?.revocation) && understood;
    this.#position = understood ? position : null;
  }

  /** Adds entries from the log. False if they do not follow what came before: the log's tail is needed. */
  append(entries: readonly RevocationEntry[]): boolean {
    let contiguous = true;
    for (const entry of entries) {
      if (!this.#apply(entry?.revocation)) this.#position = null;
      else if (!this.#advancePosition(entry)) contiguous = false;
    }
    return contiguous && this.#position !== null;
  }

  /** Something that is in no log: the authority said so. False when there is no room for it. */
  add(revocation: Revocation, nowMs: number): boolean {
    if (this.size >= this.#pruneAt) {
      this.prune(nowMs);
      this.#pruneAt = 2 * this.size + MIN_PRUNE_SIZE;
    }
    return this.#apply(revocation);
  }

  /** The log is not the one that was read so far: only a snapshot helps. */
  markIncomplete(): void {
    this.#position = null;
  }

  /** Whether the token was revoked, by its `jti` or as `signedDigest`, or the key `kid` that signed it. */
  isRevoked(claims: Readonly<JwtClaims>, kid: string | undefined, signedDigest?: string): boolean {
    const { jti, sid, sub, iat } = claims;
    const { token, session, key } = this.#untilById;
    if (token.size > 0 && jti !== undefined && token.has(jti)) return true;
    if (token.size > 0 && signedDigest !== undefined && token.has(signedDigest)) return true;
    if (session.size > 0 && sid !== undefined && session.has(sid)) return true;
    if (key.size > 0 && kid !== undefined && key.has(kid)) return true;
    if (this.#subjects.size === 0 || sub === undefined) return false;
    const cutOff = this.#subjects.get(sub);
    // Without `iat` nothing shows that the token came later.
    return cutOff !== undefined && !(iat !== undefined && iat > cutOff.before);
  }

  /** Drops what concerns only tokens that expired before `nowMs`. */
  prune(nowMs: number): void {
    const { token, session, key } = this.#untilById;
    for (const ended of [token, session, key]) {
      for (const [id, until] of ended) if (until < nowMs) ended.delete(id);
    }
    for (const [id, { until }] of this.#subjects) if (until < nowMs) this.#subjects.delete(id);
  }

  /** True if the entry is in its place now. */
  #advancePosition(entry: RevocationEntry): boolean {
    const from = this.#position;
    if (from === null) return false;
    const { seq, chain, at, revocation } = entry;
    // Seen before; another digest in its place shows another log.
    if (seq < from.seq) return true;
    if (seq === from.seq) return chain === from.chain;
    if (seq !== from.seq + 1 || chain !== chainDigest(from.chain, seq, at, revocation)) return false;
    this.#position = { epoch: from.epoch, seq, chain };
    return true;
  }

  /** False for what is not understood or finds no room: the view is not complete without it. */
  #apply(revocation: Revocation | undefined): boolean {
    if (!isRevocation(revocation)) return false;
    const { issuer, id, until } = revocation;
    if (issuer !== this.#issuer) return true;
    const cutOff = this.#subjects.get(id);
    const knownUntil =
      revocation.kind === "subject" ? cutOff?.until : this.#untilById[revocation.kind].get(id);
    if (knownUntil === undefined && this.size >= this.#maxEntries) return false;
    const longest = Math.max(until, knownUntil ?? 0);
    if (revocation.kind === "subject") {
      const before = Math.max(revocation.before, cutOff?.before ?? -Infinity);
      if (before === cutOff?.before && longest === knownUntil) return true;
      this.#subjects.set(id, { before, until: longest });
    } else {
      if (longest === knownUntil) return true;
      this.#untilById[revocation.kind].set(id, longest);
    }
    this.#changeCount++;
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

/** The feed is somebody else's: nothing about its entries is taken for granted. */
function isRevocation(value: Revocation | undefined): value is Revocation {
  if (typeof value !== "object" || value === null) return false;
  const { kind, issuer, id, until } = value;
  if (typeof issuer !== "string" || typeof id !== "string" || id.length > MAX_ID_LENGTH) return false;
  if (typeof until !== "number" || Number.isNaN(until)) return false;
  if (kind === "subject") return Number.isFinite(value.before);
  return kind === "token" || kind === "session" || kind === "key";
}
