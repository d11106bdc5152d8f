import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { issuerEvents } from "../../../src/core/event-channels.ts";
import { isHoldfastError } from "../../../src/core/errors.ts";
import type { IssuerEvent } from "../../../src/core/events.ts";
import type { Issuer } from "../../../src/issuer/types.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import type { Store } from "../../../src/stores/store.ts";
import { FakeClock } from "../../../src/testing/fake-clock.ts";
import { BASIC, createFixture, logIn, OTHER_SECRET, SECRET, sendRequest } from "../fixture.ts";

/** The lists of secrets that a process has during a rotation, in the right order. */
const lists = {
  old: SECRET,
  "old,new": `${SECRET},${OTHER_SECRET}`,
  "new,old": `${OTHER_SECRET},${SECRET}`,
  new: OTHER_SECRET,
};
type List = keyof typeof lists;
type Step = readonly [process: "A" | "B", list: List];

/** A hash of bcrypt with the lowest cost. */
const HASH = "$2b$04$abcdefghijklmnopqrstuuL3f1Wc0Gn7xv0tPjg2ZfE6ozqGTnwt.";
const alarms = new Set(["record_tampered", "refresh_reuse", "refresh_forked", "store_rolled_back"]);

interface Session {
  refresh: string;
  access: string;
}

/** Two processes on one store. Each restarts with another list of secrets at a step. */
class Rotation {
  readonly clock = new FakeClock();
  readonly store: Store = memoryStore({ clock: this.clock });
  readonly #running = new Map<"A" | "B", Issuer>();
  readonly #sessions: Session[] = [];
  readonly #users: string[] = [];
  /** What the processes answered to good tokens, and names of users. */
  readonly answers = { good: 0, unavailable: 0 };

  /** A process that refuses to start is down. */
  async restart([name, list]: Step): Promise<void> {
    await this.#running.get(name)?.close();
    this.#running.delete(name);
    const { issuer } = createFixture({ clock: this.clock, store: this.store, secret: lists[list] });
    try {
      await issuer.ready();
      this.#running.set(name, issuer);
      const { refresh_token: refresh, access_token: access } = await logIn(issuer);
      this.#sessions.push({ refresh, access });
      const username = `user${this.#users.length}`;
      assert.equal(await issuer.users.add({ username, passwordHash: HASH }), "added");
      this.#users.push(username);
      await issuer.keys.rotate();
    } catch (error) {
      assert.ok(isHoldfastError(error, "store_mismatch"), String(error));
    }
  }

  /** Presents everything that was made so far to every process. `isComplete` demands that each of them knows it. */
  async use(isComplete = false): Promise<void> {
    for (const issuer of this.#running.values()) {
      for (const username of this.#users) await this.#findUser(issuer, username, isComplete);
      for (const session of this.#sessions) await this.#validate(issuer, session, isComplete);
    }
    for (const session of this.#sessions) await this.#refresh(session, isComplete);
    const audit = await this.store.audit.recent(10_000);
    assert.deepEqual(
      audit.filter(({ kind }) => alarms.has(kind)),
      [],
    );
  }

  /** The answer of each process but the last one that knows the token is lost. */
  async #refresh(session: Session, isComplete: boolean): Promise<void> {
    const presented = session.refresh;
    const successors = new Set<string>();
    for (const issuer of this.#running.values()) {
      const outcome = await issuer.refresh(presented);
      this.#count(outcome.status, isComplete);
      if (outcome.status !== "ok") continue;
      successors.add(outcome.tokens.refresh_token);
      session.refresh = outcome.tokens.refresh_token;
      session.access = outcome.tokens.access_token;
    }
    assert.ok(successors.size <= 1, "one successor");
  }

  async #validate(issuer: Issuer, { access }: Session, isComplete: boolean): Promise<void> {
    const headers = { Authorization: BASIC };
    const response = await sendRequest(issuer, "POST", "/auth/validate", { token: access }, headers);
    const body = (await response.json()) as { valid?: boolean };
    this.#count(response.status === 503 ? "unavailable" : body.valid === true ? "ok" : "invalid", isComplete);
  }

  async #findUser(issuer: Issuer, username: string, isComplete: boolean): Promise<void> {
    const found = await issuer.users.get(username).catch((error: unknown) => {
      assert.ok(isHoldfastError(error, "store_mismatch"), String(error));
      return "unavailable" as const;
    });
    this.#count(found === null ? "unknown" : found === "unavailable" ? found : "ok", isComplete);
  }

  #count(status: string, isComplete: boolean): void {
    assert.ok(status === "ok" || (status === "unavailable" && !isComplete), status);
    this.answers[status === "ok" ? "good" : "unavailable"]++;
  }

  async close(): Promise<void> {
    for (const issuer of this.#running.values()) await issuer.close();
  }
}

/** Takes the steps, and then brings both processes to the list that knows everything. */
async function rotate(steps: readonly Step[]): Promise<Rotation["answers"]> {
  const rotation = new Rotation();
  await rotation.restart(["A", "old"]);
  await rotation.restart(["B", "old"]);
  await rotation.use();
  for (const step of steps) {
    await rotation.restart(step);
    // The new process has made tokens and records, and the other one meets them at once.
    await rotation.use();
    await rotation.clock.advance(61_000);
    await rotation.use();
  }
  const answers = { ...rotation.answers };
  for (const name of ["A", "B"] as const) await rotation.restart([name, "new,old"]);
  await rotation.clock.advance(61_000);
  await rotation.use(true);
  await rotation.close();
  return answers;
}

const processes = ["A", "B"] as const;
const rightOrder = (["old,new", "new,old"] as const).flatMap((list) =>
  processes.map((name): Step => [name, list]),
);

test("fault 72: a rotation of the secret in the right order costs no answer", async () => {
  assert.equal((await rotate(rightOrder)).unavailable, 0);
});

const wrongOrders: Readonly<Record<string, readonly Step[]>> = {
  "the new secret is first before every process has it": [["A", "new,old"]],
  "the old secret is removed while another process still makes tokens with it": [
    ...rightOrder.slice(0, 3),
    ["A", "new"],
  ],
  "the old secret is removed before its sessions have expired": [...rightOrder, ["A", "new"], ["B", "new"]],
  "an update is rolled back after it has made tokens with the new secret": [
    ["A", "new,old"],
    ["A", "old,new"],
    ["A", "old"],
  ],
  "one process never got the new secret": [
    ["A", "old,new"],
    ["A", "new,old"],
    ["A", "new"],
  ],
  "a process that lags behind restarts after the other one has removed the old secret": [
    ...rightOrder.slice(0, 3),
    ["A", "new"],
    ["B", "old,new"],
  ],
};

for (const [order, steps] of Object.entries(wrongOrders)) {
  test(`fault 72, law 1: users get 503 and lose nothing when ${order}`, async () => {
    assert.ok((await rotate(steps)).unavailable > 0);
  });
}

test("fault 72, law 1: no order of restarts during a rotation of the secret loses a session or a user", async () => {
  const step = fc.tuple(fc.constantFrom(...processes), fc.constantFrom(...(Object.keys(lists) as List[])));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
      await rotate(steps);
    }),
    { numRuns: 15 },
  );
});

test("fault 72: a process says which secret it lacks, until when, and that it has it again", async () => {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  const both = createFixture({ clock, store, secret: lists["new,old"] }).issuer;
  const early = createFixture({ clock, store, secret: lists.old }).issuer;
  await early.ready();
  await both.ready();
  assert.equal(early.status().store.unknownSecret, null);
  await clock.advance(75_000);
  assert.match(early.status().store.unknownSecret ?? "", /another process has replaced the secret/);
  assert.equal(both.status().store.unknownSecret, null);
  for (const issuer of [early, both]) await issuer.close();
  const late = createFixture({ clock, store, secret: lists.new }).issuer;
  await late.ready();
  const expected = new Date(clock.now() + 91 * 86_400_000).toISOString().slice(0, 10);
  assert.match(late.status().store.unknownSecret ?? "", new RegExp(`lacks: .* until ${expected}T`));
  const { refresh_token: made } = await logIn(late);
  const forged = made.slice(0, -4) + (made.endsWith("AAAA") ? "BBBB" : "AAAA");
  assert.equal((await late.refresh(forged)).status, "unavailable");
  clock.setWall(clock.now() + 91.5 * 86_400_000);
  assert.equal((await late.refresh(forged)).status, "invalid_grant", "the old secret has no live session");
  await late.close();
});

/** Collects the names of the events about secrets. */
function secretEvents(t: TestContext): string[] {
  const events: string[] = [];
  const listen = (published: unknown) => {
    const { event } = published as IssuerEvent;
    if (event.startsWith("secret_")) events.push(event);
  };
  issuerEvents.subscribe(listen);
  t.after(() => issuerEvents.unsubscribe(listen));
  return events;
}

test("fault 72: one event says that the first secret was replaced, and one that a process lacks it", async (t) => {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  const events = secretEvents(t);
  const early = createFixture({ clock, store, secret: lists.old }).issuer;
  await early.ready();
  await createFixture({ clock, store, secret: lists["old,new"] }).issuer.ready();
  assert.deepEqual(events, []);
  for (let start = 0; start < 2; start++) {
    const { issuer } = createFixture({ clock, store, secret: lists["new,old"] });
    await issuer.ready();
    await issuer.close();
  }
  assert.deepEqual(events, ["secret_replaced"], "not at the second start");
  for (let minute = 0; minute < 5; minute++) await clock.advance(60_000);
  assert.deepEqual(events, ["secret_replaced", "secret_missing"]);
  await early.close();
});

test("law 8: a secret that is in use for longer than its sessions live stays known", async () => {
  const clock = new FakeClock();
  const store = memoryStore({ clock });
  const lifetimes = {
    refreshIdleMs: 3_600_000,
    refreshAbsoluteMs: 3_600_000,
    shortSession: { idleMs: 1000, absoluteMs: 1000 },
  };
  const { issuer } = createFixture({ clock, store, ...lifetimes, secret: lists["old,new"] });
  await issuer.ready();
  for (let hour = 0; hour < 60; hour++) await clock.advance(3_600_000);
  const { refresh_token: token } = await logIn(issuer);
  await createFixture({ clock, store, secret: lists["new,old"] }).issuer.ready();
  const late = createFixture({ clock, store, secret: lists.new }).issuer;
  assert.equal((await late.refresh(token)).status, "unavailable");
});

test("forgetSecrets refuses the tokens of a removed secret for good", async () => {
  const { clock, store, issuer } = createFixture();
  const { refresh_token: token } = await logIn(issuer);
  const both = createFixture({ clock, store, secret: lists["new,old"] }).issuer;
  await both.ready();
  await assert.rejects(issuer.forgetSecrets(), { code: "store_mismatch" });
  assert.equal(await both.forgetSecrets(), 0);
  const late = createFixture({ clock, store, secret: lists.new }).issuer;
  assert.equal((await late.refresh(token)).status, "unavailable");
  assert.equal(await late.forgetSecrets(), 1);
  assert.equal((await late.refresh(token)).status, "invalid_grant");
  assert.equal(late.status().store.unknownSecret, null);
  assert.equal((await store.audit.recent(1))[0]?.kind, "secrets_forgotten");
  for (const one of [issuer, both, late]) await one.close();
});
