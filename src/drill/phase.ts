import { outcomes, type RequestOutcome, type Sample } from "./traffic.ts";

const marks: Readonly<Record<RequestOutcome, string>> = {
  ok: ".",
  degraded: "d",
  unavailable: "5",
  refused: "4",
  failed: "x",
};

/** One phase of the scenario, with the samples of its requests. */
export class Phase {
  readonly name: string;
  /** Whether the authority fails in this phase. */
  readonly isOutage: boolean;
  readonly startedAt: number = performance.now();
  readonly #samples: Sample[] = [];

  constructor(name: string, isOutage: boolean) {
    this.name = name;
    this.isOutage = isOutage;
  }

  add(sample: Sample): void {
    this.#samples.push(sample);
  }

  /** The samples in the order in which the requests were sent. */
  get samples(): readonly Sample[] {
    return this.#samples.toSorted((a, b) => a.at - b.at);
  }

  /** The samples of requests with good tokens. */
  get good(): readonly Sample[] {
    return this.samples.filter(({ revoked }) => revoked === null);
  }

  count(outcome: RequestOutcome): number {
    return this.good.filter((sample) => sample.outcome === outcome).length;
  }

  /** When the last impaired request was sent, in milliseconds since the start of the phase. 0 when none was impaired. */
  get impairedUntilMs(): number {
    const last = this.good.findLast(({ outcome }) => outcome !== "ok");
    return last === undefined ? 0 : last.at - this.startedAt;
  }

  /**
   * When `steadyMs` without an impaired answer began, in milliseconds since the start of the phase. `Infinity` when the
   * phase had no such time.
   */
  steadyFromMs(steadyMs: number): number {
    let steadyFrom = 0;
    for (const { at, outcome } of this.good) {
      const since = at - this.startedAt;
      if (since - steadyFrom >= steadyMs) return steadyFrom;
      if (outcome !== "ok") steadyFrom = since;
    }
    return Infinity;
  }

  /** One character for each second: the worst outcome of a good token. */
  get timeline(): string {
    const worst: number[] = [];
    for (const { at, outcome } of this.good) {
      const second = Math.max(0, Math.floor((at - this.startedAt) / 1000));
      worst[second] = Math.max(worst[second] ?? 0, outcomes.indexOf(outcome));
    }
    return Array.from(worst, (rank) => (rank === undefined ? " " : marks[outcomes[rank] ?? "failed"])).join(
      "",
    );
  }
}
