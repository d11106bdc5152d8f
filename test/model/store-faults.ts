import type { Clock } from "../../src/core/clock.ts";
import type { Issuer, RefreshOutcome } from "../../src/issuer/types.ts";
import type { Rotation, RotationOutcome, SessionRecord } from "../../src/stores/session-store.ts";
import type { Store } from "../../src/stores/store.ts";
import { SqliteConnection } from "../../src/stores/sqlite/connection.ts";
import { assembleStore } from "../../src/stores/sqlite/store.ts";
import { wrapStore } from "../issuer/stores.ts";

/** A deliberate fault in the store or the issuer. It is created anew for each environment. */
export interface Fault {
  readonly store?: (context: FaultContext) => Store;
  readonly issuer?: (issuer: Issuer) => Issuer;
}

/** The parts of the environment that a fault in the store uses. */
export interface FaultContext {
  /** The store's clock. */
  readonly clock: Clock;
  /** Yields to other requests until the scheduler continues this one. */
  readonly pause: (what: string) => Promise<void>;
}

/** The memory store, and direct access to its tables. */
export interface FaultTarget extends FaultContext {
  readonly store: Store;
  readonly sql: (query: string, ...values: (string | number | null)[]) => Promise<void>;
}

type CommandReplacement = (
  target: FaultTarget,
  args: readonly unknown[],
  call: () => Promise<unknown>,
) => Promise<unknown>;
type RotateReplacement = (
  target: FaultTarget,
  rotation: Rotation,
  call: () => Promise<RotationOutcome>,
) => Promise<RotationOutcome>;

/** Replaces one command of the store. `call` runs the original command. */
export function replaceCommand(command: string, change: () => CommandReplacement): Fault {
  return {
    store(context) {
      const description = "memory, with a fault";
      const awaitBatch = async () => await Promise.resolve();
      const fixed = { file: ":memory:", description, random: () => 0, lockTimeoutMs: 0, awaitBatch };
      const db = new SqliteConnection({ ...fixed, clock: context.clock });
      const store = assembleStore(db, description);
      const sql: FaultTarget["sql"] = async (query, ...values) =>
        await db.write(() => void db.prepare(query).run(...values));
      const target = { ...context, store, sql };
      const replacement = change();
      return wrapStore(store, async (name, call, args) =>
        name === command ? await replacement(target, args, async () => await call()) : await call(),
      );
    },
  };
}

/** Replaces `sessions.rotate`. */
export function replaceRotate(change: () => RotateReplacement): Fault {
  return replaceCommand("sessions.rotate", () => {
    const replacement = change();
    return async (target, [rotation], call) =>
      await replacement(target, rotation as Rotation, call as () => Promise<RotationOutcome>);
  });
}

/** Applies a fault after the original command, if that had the given outcome. */
export function afterOutcome(
  outcome: RotationOutcome["outcome"],
  applyFault: (target: FaultTarget, rotation: Rotation, before: SessionRecord) => Promise<void>,
): Fault {
  return replaceRotate(() => async (target, rotation, call) => {
    const before = await target.store.sessions.get(rotation.sessionId);
    const original = await call();
    if (original.outcome === outcome && before !== null) await applyFault(target, rotation, before);
    return original;
  });
}

/** Overrides the outcome for an existing session. The original command runs when `outcome` returns `null`. */
export function overrideOutcome(
  outcome: (rotation: Rotation, before: SessionRecord, now: number) => RotationOutcome | null,
): Fault {
  return replaceRotate(() => async ({ store, clock }, rotation, call) => {
    const before = await store.sessions.get(rotation.sessionId);
    return (before && outcome(rotation, before, clock.now())) ?? (await call());
  });
}

/** Repeats an earlier successor whenever `mayRepeat` accepts how many generations the token is behind. */
export function repeatSuccessorWhen(mayRepeat: (behind: number) => boolean): Fault {
  return replaceRotate(() => {
    const sealed = new Map<string, string>();
    return async ({ store }, rotation, call) => {
      const { sessionId, generation, sealedSuccessor } = rotation;
      const session = await store.sessions.get(sessionId);
      const known = sealed.get(`${sessionId} ${generation}`);
      if (session?.endedAt === null && known !== undefined && mayRepeat(session.generation - generation)) {
        return { outcome: "repeated", session, sealedSuccessor: known, behindMs: 0 };
      }
      const original = await call();
      if (original.outcome === "rotated") sealed.set(`${sessionId} ${generation}`, sealedSuccessor);
      return original;
    };
  });
}

/** Changes the issuer's answer to a refresh. */
export function changeRefreshOutcome(
  change: (original: RefreshOutcome, token: string) => RefreshOutcome,
): Fault {
  return {
    issuer: (issuer) => ({
      ...issuer,
      refresh: async (token, info) => change(await issuer.refresh(token, info), token),
    }),
  };
}
