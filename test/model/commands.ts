import fc, { type AsyncCommand } from "fast-check";
import type { Fate } from "./instance.ts";
import type { Model } from "./model.ts";
import { USERS } from "./accounts.ts";
import type { World } from "./world.ts";

type Command = AsyncCommand<Model, World>;

const MAX_SESSIONS = 5;
const MAX_GENERATIONS = 24;

function command(label: string, act: (world: World) => void | Promise<void>, can = anySession): Command {
  return {
    check: can,
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
  [...model.sessions.values()].reduce((sum, { tip }) => sum + tip, 0) < MAX_GENERATIONS;

const at = fc.nat(2);
const user = fc.constantFrom(...USERS);
const pick = fc.nat(99);
const fate = fc.constantFrom<Fate>("fine", "fine", "fails", "answer lost", "answer late");
const lost = fc.constantFrom("request", "answer", "answer", null, null, null);

const logIn = fc
  .tuple(user, at)
  .map(([who, on]) => command(`log in ${who} at ${on}`, (w) => w.logIn(who, on), roomForSession));

const refresh = fc
  .record({ client: pick, on: at, lost, copies: fc.constantFrom(1, 1, 1, 2) })
  .map(({ client, on, ...passage }) =>
    command(
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
    command(
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
    command(`stolen ${session}/${back} at ${on}`, (w) => w.steal(session, back, on), roomForGeneration),
  );

const logOut = fc
  .tuple(pick, at)
  .map(([which, on]) => command(`log out ${which} at ${on}`, (w) => w.logOut(which, on)));

const changePassword = fc
  .tuple(user, at)
  .map(([who, on]) => command(`new password of ${who} at ${on}`, (w) => w.changePassword(who, on)));

const advance = fc
  .constantFrom(1, 5_000, 20_000, 20_000, 29_999, 30_000, 700_000, 3_700_000)
  .map((ms) => command(`${ms} ms pass`, async (w) => await w.advance(ms)));

const setClock = fc
  .tuple(fc.nat(3), fc.constantFrom(-1_800_000, -20_000, -1, 0, 2_000, 20_000, 1_800_000))
  .map(([which, ms]) =>
    command(`clock ${which === 3 ? "of the store" : which} is off by ${ms}`, (w) =>
      w.setClock(w.instances[which], ms),
    ),
  );

const trouble = fc.tuple(at, fc.array(fate, { minLength: 1, maxLength: 5 })).map(([on, fates]) =>
  command(`at the store for ${on}: ${fates.join()}`, (w) => {
    const instance = w.instances[on];
    if (instance !== undefined) instance.fates = fates.slice();
  }),
);

const restart = fc
  .record({
    on: at,
    graceMs: fc.constantFrom(30_000, 30_000, 10_000, 0, 120_000),
    refreshIdleMs: fc.constantFrom(3_600_000, 3_600_000, 600_000),
  })
  .map(({ on, ...settings }) =>
    command(`${on} dies and starts with ${JSON.stringify(settings)}`, async (w) => {
      const instance = w.instances[on];
      if (instance !== undefined) instance.settings = settings;
      await instance?.restart();
    }),
  );

const nextSecret = at.map((on) =>
  command(`${on} takes the next secret`, async (w) => await w.nextSecret(on)),
);
const rotateKeys = at.map((on) => command(`${on} rotates keys`, (w) => w.rotateKeys(on)));
const prune = fc.constant(command("the store is pruned", (w) => w.prune()));

export type History = Iterable<Command>;

const often = (one: fc.Arbitrary<Command>, times: number) => Array.from({ length: times }, () => one);

/** Usual things often, rare things now and then: the list is drawn from evenly. */
export const histories: fc.Arbitrary<History> = fc.commands(
  [
    ...often(refresh, 4),
    ...often(parallel, 2),
    ...often(steal, 2),
    ...often(advance, 3),
    ...often(trouble, 2),
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
