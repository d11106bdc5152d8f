import { chainDigest, type LogPosition, type Revocation, type RevocationEntry } from "../core/revocation.ts";
import type { RevocationTail } from "./store.ts";

/** The entry that follows `last`; `null` is the empty log. */
export function nextEntry(
  last: Pick<LogPosition, "seq" | "chain"> | null,
  at: number,
  revocation: Revocation,
): RevocationEntry {
  const seq = (last?.seq ?? 0) + 1;
  return { seq, chain: chainDigest(last?.chain ?? "", seq, at, revocation), at, revocation };
}

/**
 * The tail after `position`. `entries` are those of the log from `position.seq` on, itself included, in order.
 * Where the entry at the position was trimmed, the first one after it still proves the position by its chain.
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

export type RevocationListener = (entries: readonly RevocationEntry[]) => void;

/** Tells this process of entries, right after they became durable. */
export class RevocationListeners {
  readonly #subscriptions = new Set<{ readonly listener: RevocationListener }>();

  subscribe(listener: RevocationListener): () => void {
    const subscription = { listener };
    this.#subscriptions.add(subscription);
    return () => void this.#subscriptions.delete(subscription);
  }

  publish(entries: readonly RevocationEntry[]): void {
    if (entries.length === 0) return;
    for (const { listener } of this.#subscriptions) {
      try {
        listener(entries);
      } catch {
        // The entries are durable: a listener's fault can neither undo that nor keep it from the others.
      }
    }
  }
}
