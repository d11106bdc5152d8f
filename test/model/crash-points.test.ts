import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Issuer, IssuerOptions, TokenResponse } from "../../src/issuer/types.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import type { Store } from "../../src/stores/store.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { claimsOf, createFixture, logIn, OTHER_SECRET, SECRET, validateAtIssuer } from "../issuer/fixture.ts";
import { wrapStore } from "../issuer/stores.ts";

/** A client keeps the tokens of the last answer that arrived. */
interface Client {
  tokens: TokenResponse;
}

interface Operation {
  /** The work of a process, from its start until it crashes. */
  readonly act: (issuer: Issuer, client: Client) => Promise<unknown>;
  /** Checks the state in the next process. When omitted, the client's session must continue. */
  readonly after?: (issuer: Issuer, client: Client) => Promise<void>;
  /** Prepares the state before the process that crashes. */
  readonly before?: (issuer: Issuer, client: Client, clock: FakeClock) => Promise<unknown>;
  readonly options?: Partial<IssuerOptions>;
  /** Time that passes after the work, for what the process does on a schedule. */
  readonly passesMs?: number;
  /** Whether the store is empty at first. */
  readonly onEmptyStore?: boolean;
  /** Whether the users are the issuer's own, with real password hashes. */
  readonly builtInUsers?: boolean;
}

async function refresh(issuer: Issuer, client: Client): Promise<void> {
  const outcome = await issuer.refresh(client.tokens.refresh_token);
  assert.ok(outcome.status === "ok", outcome.status);
  client.tokens = outcome.tokens;
}

/** Asserts that the token has exactly one successor, and that the session continues with it. */
async function assertSessionContinues(issuer: Issuer, client: Client): Promise<void> {
  const other = { tokens: client.tokens };
  await refresh(issuer, client);
  await refresh(issuer, other);
  assert.equal(other.tokens.refresh_token, client.tokens.refresh_token);
  assert.equal((await validateAtIssuer(issuer, client.tokens.access_token)).valid, true);
  await refresh(issuer, client);
}

/** Asserts that the session has ended once the operation is repeated. */
const assertEndedByRepeating =
  (again: Operation["act"]): NonNullable<Operation["after"]> =>
  async (issuer, client) => {
    await again(issuer, client);
    assert.equal((await issuer.refresh(client.tokens.refresh_token)).status, "invalid_grant");
    assert.equal((await validateAtIssuer(issuer, client.tokens.access_token)).valid, false);
    const { entries } = await issuer.revocations.snapshot();
    const { sid, sub } = claimsOf(client.tokens.access_token);
    assert.ok(entries.some(({ revocation: { id } }) => id === sid || id === sub));
  };

const doNothing = async () => {};
const logOut: Operation["act"] = async (issuer, { tokens }) =>
  await issuer.endSession(tokens.session_id, "logout");
const endAll: Operation["act"] = async (issuer) => await issuer.revoke({ kind: "subject", id: "ann" });
const replay: Operation["act"] = async (issuer, { tokens }) => await issuer.refresh(tokens.refresh_token);
const refreshThrice: Operation["act"] = async (issuer, client) => {
  for (let i = 0; i < 3; i++) await refresh(issuer, client);
};
/** Changes the password as an application does, which may repeat the call. */
const changePassword: Operation["act"] = async (issuer) =>
  await issuer.users.setPassword("ann", "another password of ann");

const operations: Readonly<Record<string, Operation>> = {
  "a first start": { act: doNothing, onEmptyStore: true },
  "a start": { act: doNothing },
  "a start with a new secret": { act: doNothing, options: { secret: `${OTHER_SECRET},${SECRET}` } },
  "a login": { act: async (issuer) => await logIn(issuer) },
  "three refreshes": { act: refreshThrice },
  "a refresh and its acknowledgement": {
    act: async (issuer, client) => {
      // The client stores the new tokens before it acknowledges them.
      await refresh(issuer, client);
      assert.equal((await issuer.acknowledge(client.tokens.refresh_token)).status, "ok");
    },
  },
  "a logout": { act: logOut, after: assertEndedByRepeating(logOut) },
  "a logout everywhere": { act: endAll, after: assertEndedByRepeating(endAll) },
  "a change of the password": {
    act: changePassword,
    after: assertEndedByRepeating(changePassword),
    builtInUsers: true,
  },
  "the replay of a spent token": {
    before: async (issuer, client, clock) => {
      const next = { ...client };
      await refresh(issuer, next);
      await issuer.acknowledge(next.tokens.refresh_token);
      await clock.advance(60_000);
    },
    act: replay,
    after: assertEndedByRepeating(replay),
  },
  "a rotation of keys": { act: async (issuer) => await issuer.keys.rotate() },
  "the revocation of the key that signs": {
    act: async (issuer) => {
      const signs = (await issuer.keys.list()).find(
        (key) => key.activatedAt !== null && key.retiredAt === null,
      );
      await issuer.revoke({ kind: "key", id: signs?.kid ?? "" });
    },
  },
  "a rotation of keys on schedule, and cleaning up": {
    act: doNothing,
    options: { keyRotationMs: 600_000 },
    passesMs: 15 * 60_000,
  },
};

/** A store whose process crashes at command number `last`, before or after its effect. Later commands never answer. */
function createCrashingStore(
  store: Store,
  last: number,
  done: boolean,
): { store: Store; died: Promise<true> } {
  let count = 0;
  const { promise: died, resolve: die } = Promise.withResolvers<true>();
  const until = wrapStore(store, async (_, call) => {
    count++;
    if (count < last) return await call();
    if (count === last && done) await call();
    die(true);
    return await new Promise<never>(() => {});
  });
  return { store: until, died };
}

/** Runs the operation, and returns whether it reached command number `last`. */
async function runUntilCrash(operation: Operation, last: number, done: boolean): Promise<boolean> {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  const users = operation.builtInUsers === true ? { authenticate: undefined as never } : {};
  const open = (on: Store) =>
    createFixture({ ...operation.options, ...users, clock, store: on, random: () => 0.5 }).issuer;
  const clients: Client[] = [];
  if (operation.onEmptyStore !== true) {
    const first = open(store);
    for (const username of ["ann", "bob"]) {
      if (operation.builtInUsers) await first.users.add({ username, password: `password of ${username}` });
      clients.push({ tokens: await logIn(first, username) });
    }
    await operation.before?.(first, clients[0] as Client, clock);
    await first.close();
  }

  const { store: crashingStore, died } = createCrashingStore(store, last, done);
  const issuer = open(crashingStore);
  const work = async () => {
    await issuer.ready();
    await operation.act(issuer, clients[0] as Client);
  };
  await Promise.race([work(), died]);
  await clock.advance(operation.passesMs ?? 0);
  const hasCrashed = await Promise.race([died, Promise.resolve(false)]);
  await issuer.close();

  const next = open(store);
  const [client, bystander = { tokens: await logIn(next) }] = clients;
  await assertSessionContinues(next, bystander);
  if (client !== undefined) await (operation.after ?? assertSessionContinues)(next, client);
  await next.close();
  await store.close();
  return hasCrashed;
}

describe("a process that crashes between any two commands at the store leaves every session usable", () => {
  for (const [name, operation] of Object.entries(operations)) {
    test(`law 8, fault 40: during ${name}`, async (t) => {
      let last = 1;
      while (await runUntilCrash(operation, last, false)) {
        await runUntilCrash(operation, last, true);
        last++;
      }
      t.diagnostic(`${last - 1} commands`);
      assert.ok(last > 1);
    });
  }
});
