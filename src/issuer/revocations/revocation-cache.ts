import { HoldfastError } from "../../core/errors.ts";
import type { LogPosition, RevocationEntry } from "../../core/revocation.ts";
import { fromCutoffNumbers, isCutOffToken, mergeCutoff, toCutoffNumbers } from "../../core/subject-cutoff.ts";
import type { JwtClaims } from "../../core/verdict.ts";
import { ExpiringIds } from "../../resilience/expiring-ids.ts";
import { readPages } from "../../resilience/pages.ts";
import { forEachInTurns } from "../../resilience/turns.ts";
import type { IssuerBase } from "../issuer-base.ts";
import { readSnapshotPage } from "./snapshot-page.ts";

const PRUNE_INTERVAL_MS = 60_000;
/** The revocations that one turn of the event loop looks at, which takes a few milliseconds. */
const PRUNED_PER_TURN = 8_000;
/** A log whose snapshot does not lead to its tail so often is not answered from. */
const MAX_GAPS = 3;

/**
 * Caches revoked tokens and keys and the cut-offs of subjects. Revoked sessions are not cached, because their records
 * say so. New entries of the log are read before every answer, so a durable revocation counts at once in every process.
 */
export class RevocationCache {
  readonly #base: IssuerBase;
  readonly #tokens = new ExpiringIds();
  readonly #keys = new ExpiringIds();
  /** Each subject has the three numbers of its cut-off. */
  readonly #cutoffs = new ExpiringIds(3);
  #position: LogPosition | null = null;
  #prunedAt = 0;
  #loading: Promise<void> | null = null;

  constructor(base: IssuerBase) {
    this.#base = base;
  }

  /** Whether the token itself, its subject up to the time of issue, or the key `kid` that signed it was revoked. */
  async isRevoked(claims: Readonly<JwtClaims>, kid: string | undefined): Promise<boolean> {
    await this.#catchUp();
    const { jti, sub = "" } = claims;
    const cutoff = this.#cutoffs.get(sub);
    if (cutoff !== undefined && isCutOffToken(fromCutoffNumbers(cutoff.slice(1)), claims)) return true;
    return (jti !== undefined && this.#tokens.has(jti)) || (kid !== undefined && this.#keys.has(kid));
  }

  /** Whether the entries that were read so far revoke the signing key `kid`. Reads nothing. */
  hasRevokedKey(kid: string): boolean {
    return this.#keys.has(kid);
  }

  /** Reads the new entries, once the log has been read. Never rejects and never waits for the whole log. */
  async follow(): Promise<void> {
    if (this.#position === null) return;
    const isComplete = await this.#readTail().catch(() => true);
    if (!isComplete) void this.warmUp();
  }

  /** Begins to read the log, because a large one takes seconds. Never rejects: the first answer reads it otherwise. */
  async warmUp(): Promise<void> {
    if (this.#position === null) await this.#joinLoading().catch(() => undefined);
  }

  async #catchUp(): Promise<void> {
    for (let attempt = 0; attempt < MAX_GAPS; attempt++) {
      if (this.#position === null) await this.#joinLoading();
      // The snapshot may have been begun before this call, so its tail is read as well.
      if (await this.#readTail()) return;
    }
    throw new HoldfastError("store_unavailable", "the revocation log was replaced again and again");
  }

  /** Returns `false` when the log must be read from its start. */
  async #readTail(): Promise<boolean> {
    const from = this.#position;
    if (from === null) return false;
    const tail = await this.#base.store.revocations.after(from);
    if (tail.status === "gap") {
      this.#position = null;
      return false;
    }
    await this.#append(from, tail.entries);
    return true;
  }

  async #append(from: LogPosition, entries: readonly RevocationEntry[]): Promise<void> {
    if (entries.length === 0) return;
    await forEachInTurns(this.#base.clock, entries, (entry) => this.#add(entry));
    const { seq, chain } = entries.at(-1) ?? from;
    this.#position = { epoch: from.epoch, seq, chain };
    await this.#pruneIfDue();
  }

  /** Concurrent calls share one snapshot. A call that joined one then reads the entries that were appended since. */
  async #joinLoading(): Promise<void> {
    this.#loading ??= this.#load().finally(() => (this.#loading = null));
    await this.#loading;
  }

  async #load(): Promise<void> {
    const { revocations } = this.#base.store;
    let position: LogPosition | null = null;
    for await (const page of readPages(async (cursor) => await readSnapshotPage(revocations, cursor))) {
      await forEachInTurns(this.#base.clock, page.entries, (entry) => this.#add(entry));
      ({ position } = page);
    }
    this.#position = position;
    await this.#pruneIfDue();
  }

  /** Idempotent, because concurrent calls may add the same entry. */
  #add({ revocation }: RevocationEntry): void {
    if (revocation.kind === "session") return;
    const { id, until } = revocation;
    if (revocation.kind !== "subject") {
      const ids = revocation.kind === "token" ? this.#tokens : this.#keys;
      ids.set(id, Math.max(until, ids.until(id) ?? 0));
      return;
    }
    const [knownUntil = 0, ...known] = this.#cutoffs.get(id) ?? [];
    const cutoff = mergeCutoff(known.length > 0 ? fromCutoffNumbers(known) : undefined, revocation);
    this.#cutoffs.set(id, Math.max(until, knownUntil), ...toCutoffNumbers(cutoff));
  }

  /** A pass over the whole cache for each new entry would make a long log slow. */
  async #pruneIfDue(): Promise<void> {
    const { clock } = this.#base;
    const now = clock.now();
    if (Math.abs(now - this.#prunedAt) < PRUNE_INTERVAL_MS) return;
    this.#prunedAt = now;
    for (const ids of [this.#tokens, this.#keys, this.#cutoffs]) {
      const dropping = ids.drop((until) => until < now);
      await forEachInTurns(clock, dropping, () => {}, PRUNED_PER_TURN);
    }
  }
}
