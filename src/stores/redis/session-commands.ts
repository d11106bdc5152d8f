import type { Clock } from "../../core/clock.ts";
import { damagedSessionId } from "../../core/damaged-session.ts";
import { EXPIRED_RETENTION_MS } from "../retention.ts";
import { damagedSession } from "../damaged-record.ts";
import type { Acknowledgement, EndReason, Rotation, SessionRecord } from "../session-store.ts";
import type { RedisConnection } from "./connection.ts";
import { AcknowledgedWrites } from "./acknowledged-writes.ts";
import { Rotations } from "./rotations.ts";
import type { Script } from "./script.ts";
import {
  acknowledgeSession,
  createSession,
  discardSession,
  endSession,
  OLDER_FORM,
  readSession,
} from "./session-scripts.ts";
import { formatSession, parseSession } from "./session-text.ts";

/** How long a discarded session stays when its record had no end. The longest lifetime by default is 90 days. */
const DISCARDED_LIFE_MS = 400 * 86_400_000;

/** The reply of a script on a session. */
type ScriptReply = readonly [outcome: string, now: number, session?: string];

/** The reply of a script: its outcome, and the session if it exists. */
export interface SessionReply {
  readonly outcome: string;
  /** The store's time. */
  readonly now: number;
  readonly session: SessionRecord | null;
}

/** The cut-off that ends a session. */
export interface EndingCutoff {
  readonly subject: string;
  readonly number: number;
  /** The last `authAt` that the cut-off covers. When omitted, the cut-off covers every session of the subject. */
  readonly upTo?: number;
}

/** The second key held the sealed successor in earlier versions. */
export function sessionKeys(prefix: string, id: string): [own: string, successor: string] {
  return [`${prefix}{session:${id}}`, `${prefix}{session:${id}}:successor`];
}

export interface SessionCommandsOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly clock: Clock;
  readonly isCluster: boolean;
}

/** The scripts of session-scripts.ts with typed arguments and replies. */
export class SessionCommands {
  readonly #connection: RedisConnection;
  readonly #prefix: string;
  readonly #rotations: Rotations;
  /** The ids of sessions that this process has ended. */
  readonly #ended: AcknowledgedWrites<true>;

  constructor({ connection, prefix, clock, isCluster }: SessionCommandsOptions) {
    this.#connection = connection;
    this.#prefix = prefix;
    this.#ended = new AcknowledgedWrites(clock);
    const keysOf = (id: string) => sessionKeys(prefix, id);
    this.#rotations = new Rotations({ connection, clock, keysOf, joins: !isCluster });
  }

  /** Returns the session and the store's time. `null` when it does not exist or has expired a day ago. */
  async find(id: string): Promise<{ session: SessionRecord; now: number } | null> {
    const reply = (await this.#run(readSession, id)) as ScriptReply;
    const { outcome, session, now } = toReply(reply, id);
    if (outcome === "damaged") throw damagedSession("Redis", id);
    return session === null || session.idleExpiresAt <= now - EXPIRED_RETENTION_MS ? null : { session, now };
  }

  /** As `find`. A damaged record is a result, so that it keeps no other session from being listed or ended. */
  async findAny(id: string): Promise<{ session: SessionRecord; now: number } | "damaged" | null> {
    try {
      return await this.find(id);
    } catch (error) {
      if (damagedSessionId(error) !== null) return "damaged";
      throw error;
    }
  }

  /** Stores the record for `life` ms. */
  async create(
    record: SessionRecord,
    mark: number,
    life: number,
  ): Promise<{ status: "created" } | { status: "taken" } | { status: "superseded"; number: number }> {
    const args = [mark, life, formatSession(record)];
    const reply = await this.#run(createSession, record.id, args);
    const [status, number] = reply as ["created" | "taken" | "superseded", string?];
    return status === "superseded" ? { status, number: Number(number) } : { status };
  }

  async rotate(rotation: Rotation): Promise<SessionReply> {
    const { outcome, now, text } = await this.#rotations.rotate(rotation);
    return toReply(text === "" ? [outcome, now] : [outcome, now, text], rotation.sessionId);
  }

  async acknowledge({
    sessionId,
    generation,
    digest,
  }: Acknowledgement): Promise<"acknowledged" | "unchanged"> {
    const args = [generation, digest ?? ""];
    const reply = await this.#run(acknowledgeSession, sessionId, args);
    // The reply is a list when the session does not exist.
    return reply === "acknowledged" ? reply : "unchanged";
  }

  /**
   * Ends the session. The outcome is `live` or `over` as it was before, `ended`, or `unknown`. It is `damaged` for a
   * damaged record, which an ended session replaces. A cut-off with `upTo` leaves it, because its `authAt` is lost.
   */
  async end(id: string, reason: EndReason, cutoff?: EndingCutoff): Promise<SessionReply> {
    const reply = await this.#end(id, reason, cutoff);
    if (reply.outcome !== "unknown") this.#ended.add(id, true);
    return reply;
  }

  /** As `end`. Returns 1 when the server had lost an acknowledged end of the session, and 0 otherwise. */
  async endAgain(...[id, reason, cutoff]: Parameters<SessionCommands["end"]>): Promise<number> {
    // A session whose end was never acknowledged may be live, although nothing was lost. After too many ends for the memory
    // of this process every live session counts as lost, because an unannounced loss is worse than a false alarm (law 10).
    const wasEnded = this.#ended.mayHave(id);
    const { outcome } = await this.end(id, reason, cutoff);
    return wasEnded && outcome === "live" ? 1 : 0;
  }

  async #end(id: string, reason: EndReason, cutoff?: EndingCutoff): Promise<SessionReply> {
    const args = [reason, cutoff?.subject ?? "", cutoff?.number ?? "", cutoff?.upTo ?? ""];
    const reply = (await this.#run(endSession, id, args)) as ScriptReply;
    const [outcome, now] = reply;
    try {
      if (outcome !== "damaged") return toReply(reply, id);
    } catch {
      // The script found a whole head, and has ended the session. The facts after it cannot be read.
    }
    if (cutoff?.upTo === undefined) {
      const session = formatSession(discardedSession(id, reason, now, now + DISCARDED_LIFE_MS));
      await this.#run(discardSession, id, [session, DISCARDED_LIFE_MS]);
    }
    return { outcome: "damaged", now, session: null };
  }

  async #run(script: Script, id: string, args: readonly (string | number)[] = []): Promise<unknown> {
    const keys = sessionKeys(this.#prefix, id);
    const reply = await this.#connection.runScript(script, [keys[0]], args);
    return reply === OLDER_FORM ? await this.#connection.runScript(script, keys, args) : reply;
  }
}

/** Throws `store_corrupt` when the facts in the text cannot be read. */
function toReply([outcome, now, text]: ScriptReply, id: string): SessionReply {
  try {
    return { outcome, now, session: text === undefined ? null : parseSession(text, now, id) };
  } catch {
    throw damagedSession("Redis", id);
  }
}

/**
 * The ended session that takes the place of a damaged record. It has no MAC, because the facts are lost. A refresh finds
 * that the session has ended.
 */
function discardedSession(id: string, endReason: EndReason, now: number, expiresAt: number): SessionRecord {
  return {
    id,
    subject: "",
    authAt: 0,
    absoluteExpiresAt: expiresAt,
    facts: "{}",
    mac: "",
    generation: 0,
    currentDigest: "",
    previousDigest: null,
    sealedSuccessor: null,
    rotatedAt: now,
    lostAnswerEndsAt: null,
    arrivedAt: null,
    previousArrivedAt: null,
    rolledBackAt: null,
    issuedAtS: 0,
    idleMs: 1,
    idleExpiresAt: expiresAt,
    repeatStreak: 0,
    wasRepeated: false,
    endedAt: now,
    endReason,
  };
}
