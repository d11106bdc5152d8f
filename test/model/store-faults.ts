import type { Clock } from "../../src/core/clock.ts";
import type { Issuer, RefreshOutcome } from "../../src/issuer/types.ts";
import type { Rotation, RotationOutcome, SessionRecord, Store } from "../../src/stores/store.ts";
import { SqliteConnection } from "../../src/stores/sqlite/connection.ts";
import { assembleStore } from "../../src/stores/sqlite/store.ts";
import { wrapStore } from "../issuer/stores.ts";

/** What is wrong on purpose. Made anew for each world. */
export interface Fault {
  readonly store?: (lab: FaultContext) => Store;
  readonly issuer?: (issuer: Issuer) => Issuer;
}

export interface FaultContext {
  /** The store's. */
  readonly clock: Clock;
  /** Lets others go first, as the scheduler likes. */
  readonly pause: (what: string) => Promise<void>;
}

/** The memory store, and a hand in its tables. */
export interface FaultTarget extends FaultContext {
  readonly store: Store;
  readonly sql: (query: string, ...values: (string | number | null)[]) => Promise<void>;
}

type CommandReplacement = (
  hand: FaultTarget,
  args: readonly unknown[],
  call: () => Promise<unknown>,
) => Promise<unknown>;
type RotateReplacement = (
  hand: FaultTarget,
  rotation: Rotation,
  call: () => Promise<RotationOutcome>,
) => Promise<RotationOutcome>;

/** One command of the store goes another way; `call` is the right one. */
export function replaceCommand(command: string, change: () => CommandReplacement): Fault {
  return {
    store(lab) {
      const description = "memory, with a mistake";
      const awaitBatch = async () => await Promise.resolve();
      const fixed = { file: ":memory:", description, random: () => 0, lockTimeoutMs: 0, awaitBatch };
      const db = new SqliteConnection({ ...fixed, clock: lab.clock });
      const store = assembleStore(db, description);
      const sql: FaultTarget["sql"] = async (query, ...values) =>
        await db.write(() => void db.prepare(query).run(...values));
      const hand = { ...lab, store, sql };
      const changed = change();
      return wrapStore(store, async (name, call, args) =>
        name === command ? await changed(hand, args, async () => await call()) : await call(),
      );
    },
  };
}

export function replaceRotate(change: () => RotateReplacement): Fault {
  return replaceCommand("sessions.rotate", () => {
    const changed = change();
    return async (hand, [rotation], call) =>
      await changed(hand, rotation as Rotation, call as () => Promise<RotationOutcome>);
  });
}

/** The right command first; if it came to `outcome`, something more. */
export function afterOutcome(
  outcome: RotationOutcome["outcome"],
  applyFault: (hand: FaultTarget, rotation: Rotation, before: SessionRecord) => Promise<void>,
): Fault {
  return replaceRotate(() => async (hand, rotation, call) => {
    const before = await hand.store.sessions.get(rotation.sessionId);
    const right = await call();
    if (right.outcome === outcome && before !== null) await applyFault(hand, rotation, before);
    return right;
  });
}

/** Another outcome for a session that is there. `null`: the right one. */
export function overrideOutcome(
  outcome: (rotation: Rotation, before: SessionRecord, now: number) => RotationOutcome | null,
): Fault {
  return replaceRotate(() => async ({ store, clock }, rotation, call) => {
    const before = await store.sessions.get(rotation.sessionId);
    return (before && outcome(rotation, before, clock.now())) ?? (await call());
  });
}

/** Gives a successor again that was given once, to whom `excuse` likes. */
export function repeatSuccessorWhen(excuse: (behind: number) => boolean): Fault {
  return replaceRotate(() => {
    const sealed = new Map<string, string>();
    return async ({ store }, rotation, call) => {
      const { sessionId, generation, sealedSuccessor } = rotation;
      const session = await store.sessions.get(sessionId);
      const known = sealed.get(`${sessionId} ${generation}`);
      if (session?.endedAt === null && known !== undefined && excuse(session.generation - generation)) {
        return { outcome: "repeated", session, sealedSuccessor: known };
      }
      const right = await call();
      if (right.outcome === "rotated") sealed.set(`${sessionId} ${generation}`, sealedSuccessor);
      return right;
    };
  });
}

/** The issuer's answer to a refresh, changed on its way out. */
export function changeRefreshOutcome(
  change: (right: RefreshOutcome, token: string) => RefreshOutcome,
): Fault {
  return {
    issuer: (issuer) => ({
      ...issuer,
      refresh: async (token, origin) => change(await issuer.refresh(token, origin), token),
    }),
  };
}
