import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Issuer, IssuerOptions, TokenResponse } from "../../src/issuer/types.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import type { Store } from "../../src/stores/contracts.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { claimsOf, fixture, logIn, OTHER_SECRET, SECRET, validity } from "../issuer/fixture.ts";
import { wrapped } from "../issuer/stores.ts";

/** It holds what arrived. */
interface Client {
  held: TokenResponse;
}

interface Errand {
  /** What a process does, after its start, until it dies. */
  readonly act: (issuer: Issuer, client: Client) => Promise<unknown>;
  /** What must be so in the next process. By default the client's session goes on. */
  readonly after?: (issuer: Issuer, client: Client) => Promise<void>;
  /** Before anything goes wrong. */
  readonly before?: (issuer: Issuer, client: Client, clock: FakeClock) => Promise<unknown>;
  readonly options?: Partial<IssuerOptions>;
  /** Time that passes afterwards, for what the process does by itself. */
  readonly passesMs?: number;
  /** There is nothing yet: no key, no session. */
  readonly onEmptyStore?: boolean;
  /** The issuer's own, with real hashes. */
  readonly builtInUsers?: boolean;
}

async function renew(issuer: Issuer, client: Client): Promise<void> {
  const outcome = await issuer.refresh(client.held.refresh_token);
  assert.ok(outcome.status === "ok", outcome.status);
  client.held = outcome.tokens;
}

/** One successor, however often it is asked for, and it works. */
async function goesOn(issuer: Issuer, client: Client): Promise<void> {
  const other = { held: client.held };
  await renew(issuer, client);
  await renew(issuer, other);
  assert.equal(other.held.refresh_token, client.held.refresh_token);
  assert.equal((await validity(issuer, client.held.access_token)).valid, true);
  await renew(issuer, client);
}

/** Ended, or untouched and ended by asking once more. */
const endsBy =
  (again: Errand["act"]): NonNullable<Errand["after"]> =>
  async (issuer, client) => {
    await again(issuer, client);
    assert.equal((await issuer.refresh(client.held.refresh_token)).status, "invalid_grant");
    assert.equal((await validity(issuer, client.held.access_token)).valid, false);
    const { entries } = await issuer.revocations.snapshot();
    const { sid, sub } = claimsOf(client.held.access_token);
    assert.ok(entries.some(({ revocation: { id } }) => id === sid || id === sub));
  };

const idle = async () => {};
const logOut: Errand["act"] = async (issuer, { held }) => await issuer.endSession(held.session_id, "logout");
const endAll: Errand["act"] = async (issuer) => await issuer.revoke({ kind: "subject", id: "ann" });
const replay: Errand["act"] = async (issuer, { held }) => await issuer.refresh(held.refresh_token);
const renewThrice: Errand["act"] = async (issuer, client) => {
  for (let i = 0; i < 3; i++) await renew(issuer, client);
};
/** As the application does that was asked for it twice. */
const changePassword: Errand["act"] = async (issuer) =>
  await issuer.users.setPassword("ann", "another password of ann");

const errands: Readonly<Record<string, Errand>> = {
  "a first start": { act: idle, onEmptyStore: true },
  "a start": { act: idle },
  "a start with a new secret": { act: idle, options: { secret: `${OTHER_SECRET},${SECRET}` } },
  "a login": { act: async (issuer) => await logIn(issuer) },
  "three refreshes": { act: renewThrice },
  "a logout": { act: logOut, after: endsBy(logOut) },
  "a logout everywhere": { act: endAll, after: endsBy(endAll) },
  "a change of the password": { act: changePassword, after: endsBy(changePassword), builtInUsers: true },
  "the replay of a spent token": {
    before: async (issuer, client, clock) => {
      await renew(issuer, { ...client });
      await clock.advance(60_000);
    },
    act: replay,
    after: endsBy(replay),
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
    act: idle,
    options: { keyRotationMs: 600_000 },
    passesMs: 15 * 60_000,
  },
};

/** Its process dies at the command numbered `last`, done or not; nobody hears from it again. */
function mortal(store: Store, last: number, done: boolean): { store: Store; died: Promise<true> } {
  let count = 0;
  const { promise: died, resolve: die } = Promise.withResolvers<true>();
  const until = wrapped(store, async (_, call) => {
    count++;
    if (count < last) return await call();
    if (count === last && done) await call();
    die(true);
    return await new Promise<never>(() => {});
  });
  return { store: until, died };
}

/** Returns whether it came to the command numbered `last`. */
async function live(errand: Errand, last: number, done: boolean): Promise<boolean> {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  const users = errand.builtInUsers === true ? { authenticate: undefined as never } : {};
  const open = (on: Store) =>
    fixture({ ...errand.options, ...users, clock, store: on, random: () => 0.5 }).issuer;
  const clients: Client[] = [];
  if (errand.onEmptyStore !== true) {
    const first = open(store);
    for (const username of ["ann", "bob"]) {
      if (errand.builtInUsers) await first.users.add({ username, password: `password of ${username}` });
      clients.push({ held: await logIn(first, username) });
    }
    await errand.before?.(first, clients[0] as Client, clock);
    await first.close();
  }

  const { store: doomed, died } = mortal(store, last, done);
  const issuer = open(doomed);
  const work = async () => {
    await issuer.ready();
    await errand.act(issuer, clients[0] as Client);
  };
  await Promise.race([work(), died]);
  await clock.advance(errand.passesMs ?? 0);
  const dead = await Promise.race([died, Promise.resolve(false)]);
  await issuer.close();

  const next = open(store);
  const [client, bystander = { held: await logIn(next) }] = clients;
  await goesOn(next, bystander);
  if (client !== undefined) await (errand.after ?? goesOn)(next, client);
  await next.close();
  await store.close();
  return dead;
}

describe("a process that dies between any two commands at the store leaves every session usable", () => {
  for (const [name, errand] of Object.entries(errands)) {
    test(`law 8, fault 40: during ${name}`, async (t) => {
      let last = 1;
      while (await live(errand, last, false)) {
        await live(errand, last, true);
        last++;
      }
      t.diagnostic(`${last - 1} commands`);
      assert.ok(last > 1);
    });
  }
});
