import type { Clock } from "../../core/clock.ts";
import { isHoldfastError } from "../../core/errors.ts";
import { withSpan } from "../../core/tracing.ts";
import type { IssuerConfig } from "../config.ts";
import { Counts, Histogram, RequestCounts } from "../../core/metrics.ts";

/** The parts of a store, and its own methods. */
const STORE_PARTS = ["users", "sessions", "keys", "revocations", "audit", "markers", "now", "prune"] as const;
export type StorePart = (typeof STORE_PARTS)[number];

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
  /** How often a session could not be used because its record is damaged, or the store has lost it. */
  damagedSessions = 0;
  lostSessions = 0;
  readonly sessionsEnded: Counts = new Counts();
  readonly auditEvents: Counts = new Counts(["record_tampered", "refresh_reuse", "store_rolled_back"]);
  /** Commands to the store, by the part of the store. */
  readonly storeCommands: ReadonlyMap<string, RequestCounts> = new Map(
    STORE_PARTS.map((part) => [part, new RequestCounts(["ok", "failed"], COMMAND_BOUNDS)]),
  );
  readonly #clock: Clock;
  readonly #issuer: Pick<IssuerConfig, "name" | "tracing">;

  constructor(clock: Clock, issuer: Pick<IssuerConfig, "name" | "tracing">) {
    this.#clock = clock;
    this.#issuer = issuer;
  }

  /**
   * Counts, times and traces a login or refresh. `outcomeOf` names the outcome of an answer. A failure is `unavailable`.
   * `onDone` is called at the end with the outcome that was counted.
   */
  async time<T, O extends string>(
    operation: "login" | "refresh",
    work: () => Promise<T>,
    outcomeOf: (answer: T) => O,
    onDone: (outcome: O | "unavailable", durationMs: number) => void,
  ): Promise<T> {
    const { name, tracing } = this.#issuer;
    const attributes = { "holdfast.issuer": name };
    const start = () => ({ name: `holdfast.${operation}`, kind: "internal", attributes }) as const;
    const counts = operation === "login" ? this.logins : this.refreshes;
    return await withSpan(tracing, start, async (span) => {
      const record = (outcome: O | "unavailable", durationMs: number) => {
        span.set({ "holdfast.outcome": outcome });
        onDone(outcome, durationMs);
      };
      return await this.#time(counts, work, outcomeOf, record);
    });
  }

  async #time<T, O extends string>(
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

  recordCommand(part: StorePart, outcome: "ok" | "failed", durationMs: number): void {
    this.storeCommands.get(part)?.record(outcome, durationMs);
  }
}
