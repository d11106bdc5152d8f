import type { Clock } from "../../core/clock.ts";
import { breakerEvents, keysEvents, questionEvents } from "../../core/operation-channels.ts";
import type { BreakerEvent, KeysEvent, QuestionEvent } from "../../core/operation-events.ts";
import type { RequestCounts } from "../../core/metrics.ts";
import type { GuardEventSource } from "../emit.ts";

interface CountedSource extends GuardEventSource {
  /** `undefined` outside of a guard. */
  readonly requests?: Pick<RequestCounts, "record">;
}

/** Times one question, counts it, and publishes its end. */
export class TimedQuestion {
  readonly #source: CountedSource & { readonly clock: Clock };
  readonly #isProbe: boolean;
  #sentAt = 0;
  #attempt = 0;

  constructor(source: CountedSource & { readonly clock: Clock }, isProbe: boolean) {
    this.#source = source;
    this.#isProbe = isProbe;
  }

  /** A request leaves. */
  recordSent(): void {
    this.#sentAt = this.#source.clock.monotonic();
    this.#attempt++;
  }

  recordReply(outcome: Exclude<QuestionEvent["outcome"], "refused" | "soft_timeout">): void {
    const attempt = this.#attempt;
    const probe = this.#isProbe;
    if (attempt === 0) return publishRefused(this.#source, probe);
    const durationMs = this.#source.clock.monotonic() - this.#sentAt;
    this.#source.requests?.record(outcome, durationMs);
    publishQuestion(this.#source, { outcome, durationMs, attempt, probe });
  }
}

/** Publishes a question that the guard did not send. */
export function publishRefused(source: GuardEventSource, probe: boolean = false): void {
  publishQuestion(source, { outcome: "refused", durationMs: 0, attempt: 0, probe });
}

/** Publishes that callers stopped waiting for a question. */
export function publishSoftTimeout(source: GuardEventSource, durationMs: number): void {
  publishQuestion(source, { outcome: "soft_timeout", durationMs, attempt: 1, probe: false });
}

function publishQuestion(
  { guard, issuer, isMuted }: GuardEventSource,
  question: Omit<QuestionEvent, "guard" | "issuer">,
): void {
  if (questionEvents.hasSubscribers && isMuted?.() !== true) {
    questionEvents.publish({ guard, issuer, ...question });
  }
}

/** Counts a fetch of a key set, and publishes it. */
export function recordKeyFetch(
  { guard, issuer, requests, isMuted }: CountedSource,
  outcome: KeysEvent["outcome"],
  durationMs: number,
): void {
  requests?.record(outcome, durationMs);
  if (keysEvents.hasSubscribers && isMuted?.() !== true) {
    keysEvents.publish({ guard, issuer, outcome, durationMs });
  }
}

/** Publishes the changes of one breaker. */
export function breakerReporter(
  { guard, issuer, isMuted }: GuardEventSource,
  upstream: BreakerEvent["upstream"],
): (from: BreakerEvent["from"], to: BreakerEvent["to"]) => void {
  return (from, to) => {
    if (breakerEvents.hasSubscribers && isMuted?.() !== true) {
      breakerEvents.publish({ guard, issuer, upstream, from, to });
    }
  };
}
