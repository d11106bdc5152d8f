/** One end of a range of scores. */
export interface ScoreBound {
  readonly score: number;
  readonly isExclusive: boolean;
}

/** A member and its score. */
export type ScoredMember = readonly [member: string, score: number];

/** A sorted set. Members with the same score are in the order of their bytes. */
export class SortedSet {
  readonly #scores: Map<string, number>;
  readonly #sorted: ScoredMember[];

  constructor(from?: SortedSet) {
    this.#scores = new Map(from === undefined ? [] : from.#scores);
    this.#sorted = from === undefined ? [] : [...from.#sorted];
  }

  get size(): number {
    return this.#sorted.length;
  }

  score(member: string): number | undefined {
    return this.#scores.get(member);
  }

  set(member: string, score: number): void {
    this.delete(member);
    this.#scores.set(member, score);
    this.#sorted.splice(this.#indexOf(member, score), 0, [member, score]);
  }

  delete(member: string): boolean {
    const score = this.#scores.get(member);
    if (score === undefined) return false;
    this.#scores.delete(member);
    this.#sorted.splice(this.#indexOf(member, score), 1);
    return true;
  }

  /** The members from index `start` up to and with `stop`. */
  byIndex(start: number, stop: number): ScoredMember[] {
    return this.#sorted.slice(start, stop + 1);
  }

  byScore(min: ScoreBound, max: ScoreBound): ScoredMember[] {
    const start = this.#countBelow(min.score, min.isExclusive);
    const end = this.#countBelow(max.score, !max.isExclusive);
    return this.#sorted.slice(start, Math.max(start, end));
  }

  /** All members in their order. */
  all(): readonly ScoredMember[] {
    return this.#sorted;
  }

  /** How many members have a lower score, or an equal one if `withEqual`. */
  #countBelow(score: number, withEqual: boolean): number {
    return this.#search((other) => other[1] < score || (withEqual && other[1] === score));
  }

  #indexOf(member: string, score: number): number {
    return this.#search(([otherMember, other]) => other < score || (other === score && otherMember < member));
  }

  /** The index of the first member that is not before the place. */
  #search(isBefore: (one: ScoredMember) => boolean): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(this.#sorted[middle] as ScoredMember)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
