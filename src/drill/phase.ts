import { outcomes, type RequestOutcome, type Sample } from "./traffic.ts";

const marks: Readonly<Record<RequestOutcome, string>> = {
  ok: ".",
  degraded: "d",
  unavailable: "5",
  refused: "4",
  failed: "x",
};

/** A part of the story, and what was seen in it. */
export class Phase {
  readonly name: string;
  /** Something is being broken. */
  readonly isOutage: boolean;
  readonly startedAt: number = performance.now();
  readonly #samples: Sample[] = [];

  constructor(name: string, breaks: boolean) {
    this.name = name;
    this.isOutage = breaks;
  }

  add(sample: Sample): void {
    this.#samples.push(sample);
  }

  /** In the order in which they were sent. */
  get samples(): readonly Sample[] {
    return this.#samples.toSorted((a, b) => a.at - b.at);
  }

  /** Those with good tokens. */
  get good(): readonly Sample[] {
    return this.samples.filter(({ revoked }) => revoked === null);
  }

  count(outcome: RequestOutcome): number {
    return this.good.filter((sample) => sample.outcome === outcome).length;
  }

  /** When the last request was sent that was not served as usual, in milliseconds from the beginning; 0 if all were. */
  get impairedUntilMs(): number {
    const last = this.good.findLast(({ outcome }) => outcome !== "ok");
    return last === undefined ? 0 : last.at - this.startedAt;
  }

  /** From when on all were served as usual for so long, in milliseconds from the beginning; `Infinity` if never. */
  steadyFromMs(calmMs: number): number {
    let calmFrom = 0;
    for (const { at, outcome } of this.good) {
      const since = at - this.startedAt;
      if (since - calmFrom >= calmMs) return calmFrom;
      if (outcome !== "ok") calmFrom = since;
    }
    return Infinity;
  }

  /** A character a second: the worst that good tokens met. */
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
