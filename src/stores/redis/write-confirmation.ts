import type { AnsweringConnection } from "./client.ts";
import { readMessage } from "./errors.ts";

/** The conditions under which a write is acknowledged. */
export interface ConfirmationNeeds {
  /** The key that decided on the server. */
  readonly key: string;
  /** How many replicas must have the write. */
  readonly replicas: number;
  /** How long the server waits for its replicas, ms. */
  readonly waitMs: number;
  /** Whether the answer came so late that a replica may have taken over before it. */
  readonly isLate: boolean;
}

/** Returns why the write on the connection must not be acknowledged. `null` when it may be. */
export async function findDoubt(
  connection: AnsweringConnection,
  { key, replicas, waitMs, isLate }: ConfirmationNeeds,
): Promise<string | null> {
  const reached = replicas === 0 ? 0 : await countReplicas(connection, replicas, waitMs);
  if (reached < replicas) return `the write reached ${reached} of ${replicas} replicas in time`;
  if (isLate && !(await isPrimary(connection, key)))
    return "the answer came late, and its server accepts no writes now";
  // WAIT counts only writes of the same connection, and another connection may lead to a server without the write.
  return connection.isCurrent() ? null : "the connection changed before the write was confirmed";
}

/** Counts the replicas that have the write. It never rejects, because the write itself has been executed. */
async function countReplicas(
  connection: AnsweringConnection,
  needed: number,
  waitMs: number,
): Promise<number> {
  try {
    return Number(await connection.send(["WAIT", String(needed), String(Math.ceil(waitMs))]));
  } catch {
    return 0;
  }
}

/**
 * Whether the server is a primary now. The command deletes a key that does not exist, which only a primary accepts. A
 * primary that gives the slot away answers `ASK` before it checks whether it may write. A script without keys that may
 * write is checked on every server. A server before Redis 7 does not know such a script, and the write stays in doubt.
 */
async function isPrimary(connection: AnsweringConnection, key: string): Promise<boolean> {
  try {
    await connection.send(["DEL", `${key}:confirm`]);
    return true;
  } catch (error) {
    return readMessage(error).startsWith("ASK ") && (await takesWrites(connection));
  }
}

async function takesWrites(connection: AnsweringConnection): Promise<boolean> {
  try {
    await connection.send(["EVAL", "#!lua\nreturn 1", "0"]);
    return true;
  } catch {
    return false;
  }
}
