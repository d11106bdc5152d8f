import type { Clock } from "../../core/clock.ts";

/** Answers count for this long. */
const WINDOW_S = 3;
/** A stranger gets 429 for wrong passwords. Only many of them say that users are refused, too. */
const MANY_LIMITED = 5;

export type AnswerKind = "login" | "refresh";

interface Second {
  second: number;
  answers: number;
  failed: number;
  limited: number;
}

/** Counts the latest answers to logins and refreshes, because health must not contradict what users get. */
export class AnswerLog {
  readonly #clock: Clock;
  readonly #seconds: Readonly<Record<AnswerKind, Second[]>> = { login: [], refresh: [] };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  record(kind: AnswerKind, status: number): void {
    const latest = this.#recent(kind);
    const second = this.#second();
    let current = latest.at(-1);
    if (current?.second !== second) latest.push((current = { second, answers: 0, failed: 0, limited: 0 }));
    current.answers++;
    if (status >= 500) current.failed++;
    if (status === 429) current.limited++;
  }

  /** Whether users get errors of the service, or most of them 429. */
  isAiling(kind: AnswerKind): boolean {
    const seconds = this.#recent(kind);
    const sum = (member: "answers" | "failed" | "limited") =>
      seconds.reduce((total, each) => total + each[member], 0);
    const limited = sum("limited");
    return sum("failed") > 0 || (limited >= MANY_LIMITED && limited * 2 >= sum("answers"));
  }

  #recent(kind: AnswerKind): Second[] {
    const seconds = this.#seconds[kind];
    const oldest = this.#second() - WINDOW_S;
    while ((seconds[0]?.second ?? Infinity) < oldest) seconds.shift();
    return seconds;
  }

  #second(): number {
    return Math.floor(this.#clock.monotonic() / 1000);
  }
}
