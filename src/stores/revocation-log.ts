import { chainDigest, type LogPosition, type Revocation, type RevocationEntry } from "../core/revocation.ts";
import { EXPIRED_RETENTION_MS } from "./retention.ts";
import type { RevocationTail } from "./store.ts";

/**
 * Returns the log entry that follows `last`, with its sequence number and chain digest. `null` is the empty log. `at`
 * is the store's time, epoch ms.
 *
 * @example
 * ```ts
 * import { nextEntry, type Revocation, type RevocationEntry } from "holdfast/store-kit";
 *
 * declare const log: RevocationEntry[];
 * declare const revocation: Revocation;
 *
 * log.push(nextEntry(log.at(-1) ?? null, Date.now(), revocation));
 * ```
 */
export function nextEntry(
  last: Pick<LogPosition, "seq" | "chain"> | null,
  at: number,
  revocation: Revocation,
): RevocationEntry {
  const seq = (last?.seq ?? 0) + 1;
  return { seq, chain: chainDigest(last?.chain ?? "", seq, at, revocation), at, revocation };
}

/**
 * Returns the tail after `position`, or a gap when the log does not contain the position. `entries` are the entries of
 * the log whose `seq` is `position.seq` or greater, in order. A position whose own entry was trimmed is still found by
 * the chain digest of the entry after it.
 *
 * @example
 * ```ts
 * import { tailAfter, type LogPosition, type RevocationEntry } from "holdfast/store-kit";
 *
 * declare const log: readonly RevocationEntry[];
 * declare const position: LogPosition;
 *
 * const tail = tailAfter(position, "epoch of the log", log.filter(({ seq }) => seq >= position.seq));
 * ```
 */
export function tailAfter(
  position: LogPosition,
  epoch: string,
  entries: readonly RevocationEntry[],
): RevocationTail {
  const first = entries[0];
  if (position.epoch !== epoch) return { status: "gap" };
  if (first === undefined) {
    return position.seq === 0 && position.chain === "" ? { status: "ok", entries: [] } : { status: "gap" };
  }
  if (first.seq === position.seq) {
    return first.chain === position.chain ? { status: "ok", entries: entries.slice(1) } : { status: "gap" };
  }
  const follows =
    first.seq === position.seq + 1 &&
    first.chain === chainDigest(position.chain, first.seq, first.at, first.revocation);
  return follows ? { status: "ok", entries } : { status: "gap" };
}

/**
 * Returns the entries that `prune` leaves. Only the head of the log is trimmed, so the rest stays contiguous. The
 * newest entry always stays, so the end of the log is known.
 *
 * @example
 * ```ts
 * import { pruneEntries, type RevocationEntry } from "holdfast/store-kit";
 *
 * declare let log: readonly RevocationEntry[];
 *
 * log = pruneEntries(log, Date.now());
 * ```
 */
export function pruneEntries(entries: readonly RevocationEntry[], nowMs: number): readonly RevocationEntry[] {
  const firstKept = entries.findIndex(({ revocation }) => revocation.until > nowMs - EXPIRED_RETENTION_MS);
  return entries.slice(firstKept === -1 ? Math.max(0, entries.length - 1) : firstKept);
}

/** Receives log entries that have become durable, in order. */
export type RevocationListener = (entries: readonly RevocationEntry[]) => void;

/**
 * The listeners of this process: the `subscribe` of a `RevocationLog`, and the function that calls them. A store calls
 * `publish` right after entries have become durable, and before `append` resolves.
 *
 * @example
 * ```ts
 * import { RevocationListeners, type RevocationEntry } from "holdfast/store-kit";
 *
 * declare const entry: RevocationEntry;
 *
 * const listeners = new RevocationListeners();
 * const unsubscribe = listeners.subscribe((entries) => console.log(entries.length));
 * listeners.publish([entry]);
 * unsubscribe();
 * ```
 */
export class RevocationListeners {
  readonly #subscriptions = new Set<{ readonly listener: RevocationListener }>();

  /** Returns the function that ends the subscription. */
  subscribe(listener: RevocationListener): () => void {
    const subscription = { listener };
    this.#subscriptions.add(subscription);
    return () => void this.#subscriptions.delete(subscription);
  }

  /** Calls every listener. Errors of listeners are ignored: the entries are durable already. */
  publish(entries: readonly RevocationEntry[]): void {
    if (entries.length === 0) return;
    for (const { listener } of this.#subscriptions) {
      try {
        listener(entries);
      } catch {
        // An error of one listener must not keep the entries from the others.
      }
    }
  }
}
