import type { StoreLoss } from "../store-loss.ts";
import type { RecordedOperation, RunHistory } from "./run-history.ts";

/** A fault of the run, as far as a loss is concerned. */
interface Disturbance {
  readonly fault: string;
  readonly process: string | null;
  readonly began: number;
  readonly ended: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A loss, and the time from which the processes have written again what they remember. */
export interface KnownLoss extends StoreLoss {
  /** When the last server that had the changes gave them up. */
  readonly reportedAt: number;
  /** `Infinity` when no process remembers. */
  readonly restoredAt: number;
}

/** After this time without a fault, a process has applied its lost writes again. */
const RESTORE_MS = 15_000;
/** A process forgets a write that is older by either of its clocks. */
const REMEMBERED_MS = 600_000;

/** Faults that delay no process of the service and no server. */
const harmless: ReadonlySet<string> = new Set(["authority fails", "client offline", "client sleeps"]);
/** Faults that end a process, which forgets what it has written. */
const endings: ReadonlySet<string> = new Set(["crash", "power loss"]);

/** What the database has lost in a run, and which acknowledged operations that concerns. */
export class Losses {
  readonly #losses: readonly KnownLoss[];

  constructor({ history, plan }: Pick<RunHistory, "history" | "plan">, faults: readonly Disturbance[]) {
    const { services } = plan;
    const ofServices = faults.filter(
      ({ fault, process }) => !harmless.has(fault) && (process === null || services.includes(process)),
    );
    this.#losses = history
      .filter(({ kind }) => kind === "writes lost")
      .map(({ at, data }) => {
        const loss = data as unknown as StoreLoss;
        return {
          ...loss,
          reportedAt: at,
          restoredAt: loss.isRemembered ? findRestored(loss, ofServices) : Infinity,
        };
      });
  }

  get all(): readonly KnownLoss[] {
    return this.#losses;
  }

  get isEmpty(): boolean {
    return this.#losses.length === 0;
  }

  /**
   * The loss of what an operation wrote under these keys, among the losses until `until`. Each name is a part of a key.
   * `null` when the database has kept all of it. `kept` leaves out keys that were deleted, for a reader
   * that notices a missing key.
   */
  find(
    { began, ended }: Pick<RecordedOperation, "began" | "ended">,
    names: readonly string[],
    until: number = Infinity,
    deleted: "deleted" | "kept" = "deleted",
  ): KnownLoss | null {
    const isConcerned = ({ at, keys, isWhole }: StoreLoss["changes"][number]) =>
      began <= at &&
      (deleted === "deleted" || isWhole !== true) &&
      (at <= ended || isWhole === true) &&
      (keys?.some((key) => names.some((name) => key.includes(name))) ?? true);
    return this.#losses.findLast(({ since, changes }) => since <= until && changes.some(isConcerned)) ?? null;
  }

  /**
   * Whether a key of the store itself was deleted before a time, which only an operator can repair (docs/run/redis.md).
   * Without `{store}` nothing is available. Without `{store}:in-force` the log has no snapshot for a reader that cannot
   * follow it. The rest of the log is its newest entries, in place of which readers take a snapshot.
   */
  isDeleted(name: "{store}" | "{store}:in-force", at: number): boolean {
    return this.#losses.some(
      ({ since, changes }) =>
        since <= at &&
        changes.some(({ keys, isWhole }) => isWhole && keys?.some((key) => key.endsWith(name))),
    );
  }

  /** Whether the database has lost a change of a session before a time. */
  hasTouched(session: string, at: number): boolean {
    const isOf = (key: string) => key.includes(`{session:${session}}`);
    return this.#losses.some(
      ({ since, changes }) => since <= at && changes.some(({ keys }) => keys?.some(isOf) ?? true),
    );
  }

  /** Whether the database went back between two times. */
  hasBegun(from: number, to: number): boolean {
    return this.#losses.some(({ since }) => from < since && since < to);
  }

  /** The same for what an operation wrote to a session. */
  findOfSession(
    operation: Pick<RecordedOperation, "began" | "ended">,
    session: string,
    until?: number,
  ): KnownLoss | null {
    return this.find(operation, [`{session:${session}}`], until);
  }
}

/** The end of the first time without a fault that is long enough. */
function findRestored({ since, changes }: StoreLoss, faults: readonly Disturbance[]): number {
  let restoredAt = since + RESTORE_MS;
  for (const { began, ended } of faults.toSorted((one, other) => one.began - other.began)) {
    if (began < restoredAt && ended > restoredAt - RESTORE_MS) restoredAt = ended + RESTORE_MS;
  }
  const first = Math.min(...changes.map(({ at }) => at));
  const isForgotten = faults.some(
    ({ fault, began, data }) =>
      began >= first &&
      began < restoredAt &&
      (endings.has(fault) || (fault === "clock step" && Math.abs(Number(data["ms"])) >= REMEMBERED_MS)),
  );
  return isForgotten || restoredAt - first > REMEMBERED_MS ? Infinity : restoredAt;
}
