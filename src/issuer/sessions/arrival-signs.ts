import type { JwtClaims } from "../../core/verdict.ts";
import type { IssuerBase } from "../issuer-base.ts";
import { CLOCK_TOLERANCE_MS } from "../store/store-time.ts";
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
    if (session !== undefined && isRecorded(session, generation)) return this.#remember(sid, generation);
    if (this.#pending >= MAX_PENDING) return;
    this.#remember(sid, generation);
    void this.#acknowledge(sid, generation, claims, session);
  }

  async #acknowledge(
    sessionId: string,
    generation: number,
    claims: Readonly<JwtClaims>,
    known: SessionRecord | undefined,
  ): Promise<void> {
    const { sessions } = this.#base.store;
    this.#pending++;
    try {
      const session = known ?? (await sessions.get(sessionId));
      if (session === null || isRecorded(session, generation)) return;
      if (isFromLostBranch(session, claims)) {
        // The next token of this generation may be one of the branch that goes on.
        this.#arrived.delete(sessionId);
        return;
      }
      // The digest keeps the sign from a successor that replaces this one meanwhile.
      await sessions.acknowledge({ sessionId, generation, digest: session.currentDigest });
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

/** Whether a sign for the generation would change nothing. */
function isRecorded({ generation, arrivedAt }: SessionRecord, ofToken: number): boolean {
  return generation !== ofToken || arrivedAt !== null;
}

/**
 * After a rollback of the store, a session can reach the same generation again. A token from before that rotation belongs
 * to the branch that was lost, so it says nothing about the refresh token of the branch that goes on.
 */
function isFromLostBranch({ rotatedAt }: SessionRecord, { iat = 0 }: Readonly<JwtClaims>): boolean {
  return iat * 1000 + CLOCK_TOLERANCE_MS < rotatedAt;
}

/** Reads the generation from `jti`, which is `<sid>.<generation>.<random>`. Returns 0 for a token without a session. */
function generationOf({ sid, jti = "" }: Readonly<JwtClaims>): number {
  if (sid === undefined || !jti.startsWith(`${sid}.`)) return 0;
  const digits = /^\d{1,10}/.exec(jti.slice(sid.length + 1))?.[0];
  return digits === undefined ? 0 : Number(digits);
}
