import type { Clock } from "../../src/core/clock.ts";
import type { Issuer, RefreshOutcome } from "../../src/issuer/types.ts";
import type { Rotation, RotationOutcome, SessionRecord, Store } from "../../src/stores/contracts.ts";
import { Connection } from "../../src/stores/sqlite/connection.ts";
import { storeOn } from "../../src/stores/sqlite/store.ts";
import { wrapped } from "../issuer/stores.ts";

/** What is wrong on purpose. Made anew for each world. */
export interface Mistake {
  readonly store?: (lab: Lab) => Store;
  readonly issuer?: (issuer: Issuer) => Issuer;
}

export interface Lab {
  /** The store's. */
  readonly clock: Clock;
  /** Lets others go first, as the scheduler likes. */
  readonly pause: (what: string) => Promise<void>;
}

/** The memory store, and a hand in its tables. */
export interface Hand extends Lab {
  readonly store: Store;
  readonly sql: (query: string, ...values: (string | number | null)[]) => Promise<void>;
}

type Command = (hand: Hand, args: readonly unknown[], call: () => Promise<unknown>) => Promise<unknown>;
type Rotating = (
  hand: Hand,
  rotation: Rotation,
  call: () => Promise<RotationOutcome>,
) => Promise<RotationOutcome>;

/** One command of the store goes another way; `call` is the right one. */
export function at(command: string, change: () => Command): Mistake {
  return {
    store(lab) {
      const description = "memory, with a mistake";
      const gathered = async () => await Promise.resolve();
      const fixed = { file: ":memory:", description, random: () => 0, lockTimeoutMs: 0, gathered };
      const db = new Connection({ ...fixed, clock: lab.clock });
      const store = storeOn(db, description);
      const sql: Hand["sql"] = async (query, ...values) =>
        await db.write(() => void db.prepare(query).run(...values));
      const hand = { ...lab, store, sql };
      const changed = change();
      return wrapped(store, async (name, call, args) =>
        name === command ? await changed(hand, args, async () => await call()) : await call(),
      );
    },
  };
}

export function rotating(change: () => Rotating): Mistake {
  return at("sessions.rotate", () => {
    const changed = change();
    return async (hand, [rotation], call) =>
      await changed(hand, rotation as Rotation, call as () => Promise<RotationOutcome>);
  });
}

/** The right command first; if it came to `outcome`, something more. */
export function after(
  outcome: RotationOutcome["outcome"],
  spoil: (hand: Hand, rotation: Rotation, before: SessionRecord) => Promise<void>,
): Mistake {
  return rotating(() => async (hand, rotation, call) => {
    const before = await hand.store.sessions.get(rotation.sessionId);
    const right = await call();
    if (right.outcome === outcome && before !== null) await spoil(hand, rotation, before);
    return right;
  });
}

/** Another outcome for a session that is there. `null`: the right one. */
export function instead(
  outcome: (rotation: Rotation, before: SessionRecord, now: number) => RotationOutcome | null,
): Mistake {
  return rotating(() => async ({ store, clock }, rotation, call) => {
    const before = await store.sessions.get(rotation.sessionId);
    return (before && outcome(rotation, before, clock.now())) ?? (await call());
  });
}

/** Gives a successor again that was given once, to whom `excuse` likes. */
export function excusing(excuse: (behind: number) => boolean): Mistake {
  return rotating(() => {
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
export function answering(change: (right: RefreshOutcome, token: string) => RefreshOutcome): Mistake {
  return {
    issuer: (issuer) => ({
      ...issuer,
      refresh: async (token, origin) => change(await issuer.refresh(token, origin), token),
    }),
  };
}
