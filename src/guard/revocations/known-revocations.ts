import type { Revocation } from "../../core/revocation.ts";
import {
  fromCutoffNumbers,
  mergeCutoff,
  splitCutoff,
  toCutoffNumbers,
  type SubjectCutoff,
} from "../../core/subject-cutoff.ts";
import { ExpiringIds } from "../../resilience/expiring-ids.ts";

type WithoutIssuer<R> = R extends unknown ? Omit<R, "issuer"> : never;

/** The revocations of one issuer, by kind and id. Revocations of one id are merged, so that the longest one counts. */
export class KnownRevocations {
  readonly token: ExpiringIds = new ExpiringIds();
  readonly session: ExpiringIds = new ExpiringIds();
  readonly key: ExpiringIds = new ExpiringIds();
  /** Each subject has the three numbers of its cut-off. */
  readonly subject: ExpiringIds = new ExpiringIds(3);

  get size(): number {
    return this.token.size + this.session.size + this.key.size + this.subject.size;
  }

  /** The cut-off of the subject. `undefined` when it has none. */
  cutoffOf(subject: string): SubjectCutoff | undefined {
    const numbers = this.subject.get(subject);
    return numbers && fromCutoffNumbers(numbers.slice(1));
  }

  has({ kind, id }: Pick<Revocation, "kind" | "id">): boolean {
    return this[kind].has(id);
  }

  /** Returns false when the revocation was known already. */
  add(revocation: Revocation): boolean {
    const { kind, id, until } = revocation;
    const knownUntil = this[kind].until(id);
    const latestUntil = Math.max(until, knownUntil ?? 0);
    if (revocation.kind !== "subject") {
      if (latestUntil === knownUntil) return false;
      this[kind].set(id, latestUntil);
      return true;
    }
    const cutoff = this.cutoffOf(id);
    const merged = mergeCutoff(cutoff, revocation);
    if (merged === cutoff && latestUntil === knownUntil) return false;
    this.subject.set(id, latestUntil, ...toCutoffNumbers(merged));
    return true;
  }

  /** A numbered cut-off after one without a number is two revocations. */
  *[Symbol.iterator](): Generator<WithoutIssuer<Revocation>> {
    for (const kind of ["token", "session", "key"] as const) {
      for (const [id, [until = 0]] of this[kind]) yield { kind, id, until };
    }
    for (const [id, [until = 0, ...numbers]] of this.subject) {
      for (const part of splitCutoff(fromCutoffNumbers(numbers)))
        yield { kind: "subject", id, until, ...part };
    }
  }

  /** Drops the revocations whose `until` is one of which `isOver` is true. Yields after each one, so that the caller can pause. */
  *drop(isOver: (until: number) => boolean): Generator<void, undefined> {
    for (const ids of [this.token, this.session, this.key, this.subject]) yield* ids.drop(isOver);
    return undefined;
  }
}
