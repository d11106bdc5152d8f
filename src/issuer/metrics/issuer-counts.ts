import type { Clock } from "../../core/clock.ts";
import { isHoldfastError } from "../../core/errors.ts";
import { Counts, Histogram, RequestCounts } from "../../core/metrics.ts";

/** Upper bounds of the durations of store commands, in seconds. */
const COMMAND_BOUNDS = [1e-4, 2.5e-4, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1, 5];
/** Upper bounds of how late a lost answer is asked for again, in seconds: up to 30 days. */
const REPEAT_BOUNDS = [0.1, 1, 5, 15, 30, 60, 300, 1_800, 3_600, 28_800, 86_400, 604_800, 2_592_000];

/** The plain numbers of an issuer, which `issuer.metrics()` reads. */
export class IssuerCounts {
  readonly logins: RequestCounts = new RequestCounts(["ok", "refused", "limited", "unavailable"]);
  readonly refreshes: RequestCounts = new RequestCounts(["rotated", "repeated", "reuse", "unavailable"]);
  /** How long after its rotation a token came back whose answer was lost. */
  readonly repeatDelays: Histogram = new Histogram(REPEAT_BOUNDS);
  sessionsStarted = 0;
  readonly sessionsEnded: Counts = new Counts();
  readonly auditEvents: Counts = new Counts(["record_tampered", "refresh_reuse", "store_rolled_back"]);
  /** Commands to the store, by the part of the store. */
  readonly storeCommands: Map<string, RequestCounts> = new Map();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Counts and times a login or refresh. `outcomeOf` names the outcome of an answer. A failure is `unavailable`.
   * `onDone` is called at the end with the outcome that was counted.
   */
  async time<T, O extends string>(
    counts: RequestCounts,
    work: () => Promise<T>,
    outcomeOf: (answer: T) => O,
    onDone: (outcome: O | "unavailable", durationMs: number) => void,
  ): Promise<T> {
    const startedAt = this.#clock.monotonic();
    const record = (outcome: O | "unavailable") => {
      const durationMs = this.#clock.monotonic() - startedAt;
      counts.record(outcome, durationMs);
      onDone(outcome, durationMs);
    };
    try {
      const answer = await work();
      record(outcomeOf(answer));
      return answer;
    } catch (error) {
      // Other errors are the reason of the caller's signal, or a mistake of the caller.
      if (isHoldfastError(error)) record("unavailable");
      throw error;
    }
  }

  recordCommand(part: string, outcome: "ok" | "failed", durationMs: number): void {
    let counts = this.storeCommands.get(part);
    if (counts === undefined) {
      counts = new RequestCounts(["ok", "failed"], COMMAND_BOUNDS);
      this.storeCommands.set(part, counts);
    }
    counts.record(outcome, durationMs);
  }
}
