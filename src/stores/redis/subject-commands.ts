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
   * Lists a session under its subject before it is created. Returns the store's time, whether the cut-off of the
   * subject covers the session, the cut-off itself if there is one, and how many sessions are listed.
   */
  async list({ id, subject, authAt, absoluteExpiresAt }: NewSession): Promise<{
    now: number;
    isCutOff: boolean;
    cutoff: { at: number; before: number } | null;
    listed: number;
  }> {
    const args = [id, authAt, absoluteExpiresAt];
    const reply = await this.#run(listSession, subject, args);
    const [now, isCutOff, at, before, listed = 0] = reply as [number, number, string?, string?, number?];
    const cutoff = typeof at === "string" ? { at: Number(at), before: Number(before) } : null;
    return { now, isCutOff: isCutOff === 1, cutoff, listed };
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
   * Records the subject's cut-off at `moment`, which is now by default. Returns the cut-off, which is never lower than
   * the last one, and the ids of the listed sessions.
   */
  async cutOff(
    subject: string,
    { before, until, moment }: { before: number; until: number; moment?: number },
  ): Promise<{ at: number; before: number; ids: readonly string[] }> {
    const args = [before, until, moment ?? ""];
    const reply = await this.#run(cutOffSubject, subject, args);
    const [at, covered, ids] = reply as [number, number, string[]];
    return { at, before: covered, ids };
  }

  async #run(script: Script, subject: string, args: readonly (string | number)[]): Promise<unknown> {
    return await this.#connection.runScript(script, subjectKeys(this.#prefix, subject), args);
  }
}

function toPositions(reply: readonly string[]): SessionPosition[] {
  return reply.flatMap((id, i) => (i % 2 === 0 ? [{ id, at: Number(reply[i + 1]) }] : []));
}
