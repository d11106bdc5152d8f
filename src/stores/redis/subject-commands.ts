import type { Cutoff } from "../cutoff.ts";
import type { NewSession, SessionPosition } from "../session-store.ts";
import type { RedisConnection } from "./connection.ts";
import type { Script } from "./script.ts";
import {
  claimSessions,
  cutOffSubject,
  delistSessions,
  evictableSessions,
  listSession,
  pageOfSessions,
} from "./subject-scripts.ts";

/** Ids that one command takes off the list, so that it never blocks the server for long. */
const DELIST_BATCH = 1000;

export function subjectKeys(prefix: string, subject: string): string[] {
  return ["cutoff", "sessions", "open"].map((name) => `${prefix}{subject:${subject}}:${name}`);
}

/** The scripts of subject-scripts.ts with typed arguments and replies. */
export class SubjectCommands {
  readonly #connection: RedisConnection;
  readonly #prefix: string;

  constructor(connection: RedisConnection, prefix: string) {
    this.#connection = connection;
    this.#prefix = prefix;
  }

  /**
   * Lists a session under its subject before it is created. Returns the store's time and how many sessions are listed.
   * `supersededBy` is the number with which a later session is not superseded, or `null` when this one is listed.
   */
  async list({ id, subject, authAt, absoluteExpiresAt, mark }: NewSession): Promise<{
    now: number;
    supersededBy: number | null;
    listed: number;
  }> {
    const args = [id, authAt, absoluteExpiresAt, mark];
    const reply = await this.#run(listSession, subject, args);
    const [now, number, listed = 0] = reply as [number, string, number?];
    return { now, supersededBy: number === "" ? null : Number(number), listed };
  }

  /** Takes ended sessions off the list. A failure is ignored: they then stay listed until they would have expired. */
  async delist(subject: string, ids: readonly string[]): Promise<void> {
    try {
      for (let i = 0; i < ids.length; i += DELIST_BATCH) {
        const some = ids.slice(i, i + DELIST_BATCH);
        await this.#run(delistSessions, subject, some);
      }
    } catch {
      // The list is longer than necessary, and nothing else.
    }
  }

  /** Returns the store's time, and the ids of a page with their places in the list. */
  async page(
    subject: string,
    after: SessionPosition | null,
    limit: number,
  ): Promise<{ now: number; positions: readonly SessionPosition[] }> {
    const args = [limit, after?.at ?? "", after?.id ?? ""];
    const [now, ...rest] = (await this.#run(pageOfSessions, subject, args)) as [number, ...string[]];
    return { now, positions: toPositions(rest) };
  }

  /** Returns how many sessions are listed beyond `max`, and those that may be evicted with the times of their logins. */
  async evictable(
    subject: string,
    max: number,
  ): Promise<{ now: number; excess: number; positions: readonly SessionPosition[] }> {
    const reply = await this.#run(evictableSessions, subject, [max]);
    const [now, excess, ...rest] = reply as [number, number, ...string[]];
    return { now, excess, positions: toPositions(rest) };
  }

  /** Chooses at most `count` of the sessions for eviction, the first ones first. No other login can choose them. */
  async claim(
    subject: string,
    { max, count }: { max: number; count: number },
    ids: readonly string[],
  ): Promise<readonly string[]> {
    return (await this.#run(claimSessions, subject, [max, count, ...ids])) as string[];
  }

  /**
   * Records the subject's cut-off. Its moment is now by default, and its number the next one. Returns the cut-off, which is
   * never lower than the last one, and the ids of the listed sessions.
   */
  async cutOff(
    subject: string,
    wanted: { before: number; until: number; moment?: number; number?: number },
  ): Promise<Cutoff & { ids: readonly string[] }> {
    const args = [wanted.before, wanted.until, wanted.moment ?? "", wanted.number ?? ""];
    const reply = await this.#run(cutOffSubject, subject, args);
    const [at, before, number, ids] = reply as [number, number, number, string[]];
    return { at, before, number, ids };
  }

  async #run(script: Script, subject: string, args: readonly (string | number)[]): Promise<unknown> {
    return await this.#connection.runScript(script, subjectKeys(this.#prefix, subject), args);
  }
}

function toPositions(reply: readonly string[]): SessionPosition[] {
  return reply.flatMap((id, i) => (i % 2 === 0 ? [{ id, at: Number(reply[i + 1]) }] : []));
}
