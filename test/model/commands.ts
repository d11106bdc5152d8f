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
  act: (environment: Environment) => void | Promise<void>,
  isPossible = anySession,
): Command {
  return {
    check: isPossible,
    run: async (_, environment) => {
      await act(environment);
      await environment.inspect();
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
const storeFault = fc.constantFrom<StoreFault>("none", "none", "fails", "answer lost", "answer late");
const lost = fc.constantFrom("request", "answer", "answer", null, null, null);

const logIn = fc
  .tuple(user, at)
  .map(([name, on]) =>
    defineCommand(`log in ${name} at ${on}`, (env) => env.logIn(name, on), roomForSession),
  );

const refresh = fc
  .record({ client: pick, on: at, lost, copies: fc.constantFrom(1, 1, 1, 2), acknowledges: fc.boolean() })
  .map(({ client, on, ...transmission }) =>
    defineCommand(
      `refresh by ${client} at ${on}, ${JSON.stringify(transmission)}`,
      (env) => env.refresh(client, [on], transmission),
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
      (env) => env.refresh(client, on, { copies, lost: null, acknowledges: false }),
      roomForGeneration,
    ),
  );

/** Prefers the newest tokens. */
const newest = fc.oneof(fc.nat(2), fc.nat(99));
const steal = fc
  .tuple(pick, newest, at)
  .map(([session, back, on]) =>
    defineCommand(
      `steal ${session}/${back} at ${on}`,
      (env) => env.steal(session, back, on),
      roomForGeneration,
    ),
  );

const acknowledge = fc
  .tuple(pick, at)
  .map(([which, on]) => defineCommand(`${which} acknowledges at ${on}`, (env) => env.acknowledge(which, on)));

const useAccessToken = fc
  .tuple(pick, at)
  .map(([which, on]) =>
    defineCommand(`${which} uses its access token at ${on}`, (env) => env.useAccessToken(which, on)),
  );

const logOut = fc
  .tuple(pick, at)
  .map(([which, on]) => defineCommand(`log out ${which} at ${on}`, (env) => env.logOut(which, on)));

const changePassword = fc
  .tuple(user, at)
  .map(([name, on]) =>
    defineCommand(`new password of ${name} at ${on}`, (env) => env.changePassword(name, on)),
  );

const advance = fc
  .constantFrom(1, 5_000, 20_000, 20_000, 29_999, 30_000, 700_000, 3_700_000)
  .map((ms) => defineCommand(`${ms} ms pass`, async (env) => await env.advance(ms)));

const setClock = fc
  .tuple(fc.nat(3), fc.constantFrom(-1_800_000, -20_000, -1, 0, 2_000, 20_000, 1_800_000))
  .map(([which, ms]) =>
    defineCommand(`clock ${which === 3 ? "of the store" : which} is off by ${ms}`, (env) =>
      env.setClock(env.instances[which], ms),
    ),
  );

const failStoreCommands = fc
  .tuple(at, fc.array(storeFault, { minLength: 1, maxLength: 5 }))
  .map(([on, faults]) =>
    defineCommand(`store faults of ${on}: ${faults.join()}`, (env) => {
      const instance = env.instances[on];
      if (instance !== undefined) instance.faults = faults.slice();
    }),
  );

const restart = fc
  .record({
    on: at,
    lostAnswerMs: fc.constantFrom(120_000, 120_000, 30_000, 0, 4_000_000),
    conflictMs: fc.constantFrom(30_000, 30_000, 10_000, 0),
    refreshIdleMs: fc.constantFrom(3_600_000, 3_600_000, 600_000),
  })
  .map(({ on, ...settings }) =>
    defineCommand(`${on} crashes and restarts with ${JSON.stringify(settings)}`, async (env) => {
      const instance = env.instances[on];
      if (instance !== undefined) instance.settings = settings;
      await instance?.restart();
    }),
  );

const nextSecret = at.map((on) =>
  defineCommand(`${on} takes the next secret`, async (env) => await env.nextSecret(on)),
);
const rotateKeys = at.map((on) => defineCommand(`${on} rotates keys`, (env) => env.rotateKeys(on)));
const prune = fc.constant(defineCommand("the store is pruned", (env) => env.prune()));

export type History = Iterable<Command>;

const repeat = (one: fc.Arbitrary<Command>, times: number) => Array.from({ length: times }, () => one);

/** Common commands are listed several times, because fast-check draws evenly from the list. */
export const histories: fc.Arbitrary<History> = fc.commands(
  [
    ...repeat(refresh, 4),
    ...repeat(parallel, 2),
    ...repeat(steal, 3),
    ...repeat(acknowledge, 2),
    useAccessToken,
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
