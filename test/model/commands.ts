import fc, { type AsyncCommand } from "fast-check";
import type { StoreFault } from "./instance.ts";
import type { Model } from "./model.ts";
import { USERS } from "./accounts.ts";
import type { Environment } from "./environment.ts";

type Command = AsyncCommand<Model, Environment>;

const MAX_SESSIONS = 5;
const MAX_GENERATIONS = 24;

function defineCommand(
  label: string,
  act: (world: Environment) => void | Promise<void>,
  isPossible = anySession,
): Command {
  return {
    check: isPossible,
    run: async (_, world) => {
      await act(world);
      await world.inspect();
    },
    toString: () => label,
  };
}

const anySession = (model: Model) => model.sessions.size > 0;
const roomForSession = (model: Model) => model.sessions.size < MAX_SESSIONS;
const roomForGeneration = (model: Model) =>
  [...model.sessions.values()].reduce((sum, { currentGeneration }) => sum + currentGeneration, 0) <
  MAX_GENERATIONS;

const at = fc.nat(2);
const user = fc.constantFrom(...USERS);
const pick = fc.nat(99);
const storeFault = fc.constantFrom<StoreFault>("fine", "fine", "fails", "answer lost", "answer late");
const lost = fc.constantFrom("request", "answer", "answer", null, null, null);

const logIn = fc
  .tuple(user, at)
  .map(([who, on]) => defineCommand(`log in ${who} at ${on}`, (w) => w.logIn(who, on), roomForSession));

const refresh = fc
  .record({ client: pick, on: at, lost, copies: fc.constantFrom(1, 1, 1, 2) })
  .map(({ client, on, ...passage }) =>
    defineCommand(
      `refresh by ${client} at ${on}, ${passage.copies} ×, lost: ${passage.lost}`,
      (w) => w.refresh(client, [on], passage),
      roomForGeneration,
    ),
  );

const parallel = fc
  .record({
    client: pick,
    on: fc.array(at, { minLength: 1, maxLength: 3 }),
    copies: fc.integer({ min: 2, max: 6 }),
  })
  .map(({ client, on, copies }) =>
    defineCommand(
      `${copies} parallel refreshes by ${client} at ${on.join()}`,
      (w) => w.refresh(client, on, { copies, lost: null }),
      roomForGeneration,
    ),
  );

/** The newest ones more often. */
const newest = fc.oneof(fc.nat(2), fc.nat(99));
const steal = fc
  .tuple(pick, newest, at)
  .map(([session, back, on]) =>
    defineCommand(`stolen ${session}/${back} at ${on}`, (w) => w.steal(session, back, on), roomForGeneration),
  );

const logOut = fc
  .tuple(pick, at)
  .map(([which, on]) => defineCommand(`log out ${which} at ${on}`, (w) => w.logOut(which, on)));

const changePassword = fc
  .tuple(user, at)
  .map(([who, on]) => defineCommand(`new password of ${who} at ${on}`, (w) => w.changePassword(who, on)));

const advance = fc
  .constantFrom(1, 5_000, 20_000, 20_000, 29_999, 30_000, 700_000, 3_700_000)
  .map((ms) => defineCommand(`${ms} ms pass`, async (w) => await w.advance(ms)));

const setClock = fc
  .tuple(fc.nat(3), fc.constantFrom(-1_800_000, -20_000, -1, 0, 2_000, 20_000, 1_800_000))
  .map(([which, ms]) =>
    defineCommand(`clock ${which === 3 ? "of the store" : which} is off by ${ms}`, (w) =>
      w.setClock(w.instances[which], ms),
    ),
  );

const failStoreCommands = fc
  .tuple(at, fc.array(storeFault, { minLength: 1, maxLength: 5 }))
  .map(([on, fates]) =>
    defineCommand(`at the store for ${on}: ${fates.join()}`, (w) => {
      const instance = w.instances[on];
      if (instance !== undefined) instance.faults = fates.slice();
    }),
  );

const restart = fc
  .record({
    on: at,
    graceMs: fc.constantFrom(30_000, 30_000, 10_000, 0, 120_000),
    refreshIdleMs: fc.constantFrom(3_600_000, 3_600_000, 600_000),
  })
  .map(({ on, ...settings }) =>
    defineCommand(`${on} dies and starts with ${JSON.stringify(settings)}`, async (w) => {
      const instance = w.instances[on];
      if (instance !== undefined) instance.settings = settings;
      await instance?.restart();
    }),
  );

const nextSecret = at.map((on) =>
  defineCommand(`${on} takes the next secret`, async (w) => await w.nextSecret(on)),
);
const rotateKeys = at.map((on) => defineCommand(`${on} rotates keys`, (w) => w.rotateKeys(on)));
const prune = fc.constant(defineCommand("the store is pruned", (w) => w.prune()));

export type History = Iterable<Command>;

const repeat = (one: fc.Arbitrary<Command>, times: number) => Array.from({ length: times }, () => one);

/** Usual things often, rare things now and then: the list is drawn from evenly. */
export const histories: fc.Arbitrary<History> = fc.commands(
  [
    ...repeat(refresh, 4),
    ...repeat(parallel, 2),
    ...repeat(steal, 2),
    ...repeat(advance, 3),
    ...repeat(failStoreCommands, 2),
    logIn,
    logOut,
    changePassword,
    restart,
    setClock,
    nextSecret,
    rotateKeys,
    prune,
  ],
  { maxCommands: 40, size: "max" },
);
