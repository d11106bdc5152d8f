import type { JwtClaims } from "../../core/verdict.ts";
import type { IssuerBase } from "../issuer-base.ts";
import type { SessionRecord } from "../../stores/session-store.ts";

/** Sessions whose newest generation is remembered. A forgotten one costs one more command. */
const MAX_SESSIONS = 20_000;
/** Concurrent commands. A sign that finds no room is given again by the next use of the access token. */
const MAX_PENDING = 32;

/**
 * Tells the store that a client has the tokens of a generation, once in each process. The first access token of the
 * generation is the sign. The request that carries the token does not wait for the store, and does not fail with it.
 */
export class ArrivalSigns {
  readonly #base: IssuerBase;
  /** The newest generation of each session that arrived, in order of use. */
  readonly #arrived = new Map<string, number>();
  #pending = 0;

  constructor(base: IssuerBase) {
    this.#base = base;
  }

  /** `session` saves the command when the store has already told that there is nothing to record. */
  recordAccessToken(claims: Readonly<JwtClaims>, session?: SessionRecord): void {
    const generation = generationOf(claims);
    const { sid } = claims;
    // The first generation has no predecessor, so nothing waits for its arrival.
    if (generation < 2 || sid === undefined) return;
    if ((this.#arrived.get(sid) ?? 0) >= generation) return;
    const isKnown =
      session !== undefined && (session.generation !== generation || session.arrivedAt !== null);
    if (!isKnown && this.#pending >= MAX_PENDING) return;
    this.#remember(sid, generation);
    if (!isKnown) void this.#acknowledge(sid, generation);
  }

  async #acknowledge(sessionId: string, generation: number): Promise<void> {
    this.#pending++;
    try {
      await this.#base.store.sessions.acknowledge({ sessionId, generation, digest: null });
    } catch {
      // The store reports its own failure. The next use of the access token gives the sign again.
      this.#arrived.delete(sessionId);
    } finally {
      this.#pending--;
    }
  }

  #remember(sid: string, generation: number): void {
    this.#arrived.delete(sid);
    this.#arrived.set(sid, generation);
    if (this.#arrived.size <= MAX_SESSIONS) return;
    for (const oldest of this.#arrived.keys()) {
      this.#arrived.delete(oldest);
      return;
    }
  }
}

/** Reads the generation from `jti`, which is `<sid>.<generation>.<random>`. Returns 0 for a token without a session. */
function generationOf({ sid, jti = "" }: Readonly<JwtClaims>): number {
  if (sid === undefined || !jti.startsWith(`${sid}.`)) return 0;
  const digits = /^\d{1,10}/.exec(jti.slice(sid.length + 1))?.[0];
  return digits === undefined ? 0 : Number(digits);
}
