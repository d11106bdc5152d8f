import { networkOf } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";

/** Answers of this second and of so many before it count. */
const EARLIER_S = 3;
/** Answers count for up to this long. */
export const ANSWERS_S: number = EARLIER_S + 1;
/** A stranger gets 429 for wrong passwords. Only those of many sources say that users are refused, too. */
const MANY_LIMITED = 5;
/** The sources of each second that are told apart. More would be memory without a use. */
const MAX_SOURCES = 1_000;
/** A failure counts when at least one in so many answers failed. */
const ANSWERS_PER_FAILURE = 10;

export type AnswerKind = "login" | "refresh";
/** Why one session got a 5xx, although the store works. */
export type SessionFault = "damaged" | "lost";

/** The latest answers of one kind. */
export interface AnswerSummary {
  readonly answers: number;
  /** Answers with 5xx. */
  readonly failed: number;
  /** Answers with 429, and from how many networks their requests came. */
  readonly limited: number;
  readonly sources: number;
  /** Answers with 5xx because the record of a session is damaged, or the store has lost the session. */
  readonly damaged: number;
  readonly lost: number;
}

interface Second {
  second: number;
  answers: number;
  failed: number;
  limited: number;
  damaged: number;
  lost: number;
  /** The networks that got 429. An answer to an unknown source counts as one more. */
  readonly limitedSources: Set<string | symbol>;
}

/** Counts the latest answers to logins and refreshes, because health must not contradict what users get. */
export class AnswerLog {
  readonly #clock: Clock;
  readonly #seconds: Readonly<Record<AnswerKind, Second[]>> = { login: [], refresh: [] };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  record(
    kind: AnswerKind,
    status: number,
    source: string | undefined,
    fault: SessionFault | null = null,
  ): void {
    const latest = this.#recent(kind);
    const second = this.#second();
    let current = latest.at(-1);
    if (current?.second !== second) {
      const counts = { answers: 0, failed: 0, limited: 0, damaged: 0, lost: 0 };
      latest.push((current = { second, ...counts, limitedSources: new Set() }));
    }
    current.answers++;
    if (status >= 500) current.failed++;
    if (fault !== null) current[fault]++;
    if (status !== 429) return;
    current.limited++;
    // One host may use every address of its IPv6 network.
    const network = source === undefined ? Symbol("unknown") : networkOf(source);
    if (current.limitedSources.size < MAX_SOURCES) current.limitedSources.add(network);
  }

  /** The latest answers, in numbers. */
  summary(kind: AnswerKind): AnswerSummary {
    const seconds = this.#recent(kind);
    const sum = (member: "answers" | "failed" | "limited" | SessionFault) =>
      seconds.reduce((total, each) => total + each[member], 0);
    const sources = new Set(seconds.flatMap(({ limitedSources }) => [...limitedSources])).size;
    const faults = { damaged: sum("damaged"), lost: sum("lost") };
    return { answers: sum("answers"), failed: sum("failed"), limited: sum("limited"), sources, ...faults };
  }

  /** Whether users get errors of the service, or most of them 429. One source cannot cause the latter. */
  isAiling(kind: AnswerKind): boolean {
    const { answers, failed, limited, sources } = this.summary(kind);
    if (failed > 0 && failed * ANSWERS_PER_FAILURE >= answers) return true;
    return sources >= MANY_LIMITED && sources >= answers - limited;
  }

  #recent(kind: AnswerKind): Second[] {
    const seconds = this.#seconds[kind];
    const oldest = this.#second() - EARLIER_S;
    while ((seconds[0]?.second ?? Infinity) < oldest) seconds.shift();
    return seconds;
  }

  #second(): number {
    return Math.floor(this.#clock.monotonic() / 1000);
  }
}
