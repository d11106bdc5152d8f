import type { LostChange } from "../store-loss.ts";
import type { Change } from "./server.ts";

/** The newest changes that are kept. No fault loses more. */
const MAX_CHANGES = 20_000;

/** The changes of a server by their offsets, to tell which of them a failover or a power failure has lost. */
export class ChangeLog {
  #changes: (LostChange & { readonly offset: number })[] = [];

  /** `isWhole` means that the change created keys which another server has deleted. */
  add(change: Change, offset: number, at: number, isWhole: boolean): void {
    const keys = [...new Set(change.map(([, key = ""]) => key))];
    this.#changes.push({ offset, at, keys, ...(isWhole && { isWhole }) });
    if (this.#changes.length > 2 * MAX_CHANGES) this.#changes.splice(0, MAX_CHANGES);
  }

  /** The changes behind the offset, oldest first. */
  after(offset: number): LostChange[] {
    const found = this.#changes.filter((one) => one.offset > offset);
    return found.map(({ at, keys, isWhole }) => ({ at, keys, ...(isWhole && { isWhole }) }));
  }

  clear(): void {
    this.#changes = [];
  }
}
