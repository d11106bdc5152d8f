import { afterTurn, type Clock } from "../../core/clock.ts";
import { damagedSession } from "../damaged-record.ts";
import type { Rotation } from "../session-store.ts";
import type { RedisConnection } from "./connection.ts";
import { rotateSessions } from "./rotation-script.ts";
import { convertSession } from "./session-scripts.ts";
import { formatPlace, formatTime } from "./session-text.ts";

/** The outcome, the store's time, and the text of the session. The text is `""` when no session exists. */
export interface RotationReply {
  readonly outcome: string;
  readonly now: number;
  readonly text: string;
}

interface Waiting {
  readonly rotation: Rotation;
  readonly resolve: (reply: RotationReply) => void;
  readonly reject: (error: unknown) => void;
}

/** The most rotations in one run of the script, which blocks the server for about 10 µs for each of them. */
const MAX_JOINED = 16;

export interface RotationsOptions {
  readonly connection: RedisConnection;
  readonly clock: Clock;
  /** Returns the keys of a session, its own first. */
  readonly keysOf: (id: string) => readonly string[];
  /** Whether one script can use the keys of several sessions. A cluster has them on several servers. */
  readonly joins: boolean;
}

/**
 * Rotates sessions. A rotation is sent at once while no other is in flight. Otherwise the rotations of one turn of the
 * event loop share a script call. The call itself takes the server a third of the time of a single rotation.
 */
export class Rotations {
  readonly #options: RotationsOptions;
  #waiting: Waiting[] = [];
  #inFlight = 0;

  constructor(options: RotationsOptions) {
    this.#options = options;
  }

  async rotate(rotation: Rotation): Promise<RotationReply> {
    const { connection, keysOf } = this.#options;
    const { sessionId } = rotation;
    const first = await this.#send(rotation);
    if (first.outcome === "damaged") throw damagedSession("Redis", sessionId);
    if (first.outcome !== "other") return first;
    // An older version also writes a hash that has no session, for a cut-off that reached the session before.
    const converted = await connection.runScript(convertSession, keysOf(sessionId));
    if (Array.isArray(converted) && converted[0] === "damaged") throw damagedSession("Redis", sessionId);
    if (converted !== "converted") return { outcome: "unknown", now: first.now, text: "" };
    const second = await this.#send(rotation);
    if (second.outcome === "other" || second.outcome === "damaged") throw damagedSession("Redis", sessionId);
    return second;
  }

  async #send(rotation: Rotation): Promise<RotationReply> {
    return await new Promise((resolve, reject) => {
      const one = { rotation, resolve, reject };
      if (this.#inFlight === 0 || !this.#options.joins) {
        void this.#run([one]);
        return;
      }
      this.#waiting.push(one);
      if (this.#waiting.length === 1) afterTurn(this.#options.clock, () => this.#flush());
    });
  }

  #flush(): void {
    const waiting = this.#waiting.splice(0);
    for (let from = 0; from < waiting.length; from += MAX_JOINED) {
      void this.#run(waiting.slice(from, from + MAX_JOINED));
    }
  }

  /** Never rejects. */
  async #run(batch: readonly Waiting[]): Promise<void> {
    const { connection, keysOf } = this.#options;
    this.#inFlight++;
    try {
      const keys = batch.map(({ rotation }) => keysOf(rotation.sessionId)[0] ?? "");
      const args = batch.flatMap(({ rotation }) => rotationArguments(rotation));
      const reply = (await connection.runScript(rotateSessions, keys, args)) as [number, ...string[]];
      const now = reply[0];
      for (const [i, { resolve }] of batch.entries()) {
        resolve({ outcome: String(reply[1 + 2 * i]), now, text: String(reply[2 + 2 * i]) });
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      this.#inFlight--;
    }
  }
}

/** The presented generation, its digest, the texts of the new session, and the times. */
function rotationArguments(rotation: Rotation): string[] {
  const { generation, presentedDigest, successorDigest, sealedSuccessor } = rotation;
  const { lostAnswerMs, conflictMs, issuedAt, expiresAt } = rotation;
  const parts = [
    formatPlace("currentLength", Buffer.byteLength(successorDigest)),
    formatPlace("previousLength", Buffer.byteLength(presentedDigest)),
    formatPlace("sealedLength", Buffer.byteLength(sealedSuccessor)),
    successorDigest,
    presentedDigest,
    sealedSuccessor,
  ].join("");
  const times = formatTime(conflictMs) + formatTime(issuedAt) + formatTime(expiresAt);
  // The script compares the generation with the stored text first, and as a number only if the texts differ.
  const presented = generation < 0 ? String(generation) : formatPlace("generation", generation);
  return [presented, presentedDigest, parts, String(lostAnswerMs), times];
}
