import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import type { Clock } from "../../src/core/clock.ts";
import { closeCodes, createConnections } from "../../src/connections/index.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { makeFixture, minute } from "../guard/degraded/fixture.ts";
import { Peer, type Defect, type Environment, type Token } from "./peer.ts";
import { holdAdmissions } from "./fixture.ts";
import { examples } from "../support/examples.ts";

const MAX_PER_SUBJECT = 3;
const TOLERANCE_MS = 5_000;
const RULES = { scopes: ["chat"] };

const which = fc.nat(7);
const user = fc.constantFrom("ann", "bob");
const minutes = fc.constantFrom(1, 3, 60);
/** The defects that a token can have. */
const flaw = fc.constantFrom<Defect>(null, null, null, null, "forged", "expired", "narrow", "another's");

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom("connect" as const, "connect" as const, "expect" as const),
      user,
      minutes,
    }),
  },
  { weight: 10, arbitrary: fc.record({ do: fc.constant("present" as const), which, minutes, flaw }) },
  { weight: 16, arbitrary: fc.record({ do: fc.constant("speak" as const), which }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("check" as const) }) },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant("pass" as const),
      ms: fc.constantFrom(1, 10, 900, 5_000, 30_000, 50_000, 3 * minute),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("go" as const), which }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("end in log" as const, "end at provider" as const), which }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "refuse" as const,
        "hang" as const,
        "answer" as const,
        "cut" as const,
        "join" as const,
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("drain" as const), which }) },
);

/** A clock that counts the pending timers. */
function countingTimers(clock: Clock): Clock & { timers: number } {
  const counting = {
    timers: 0,
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after(ms: number, fn: () => void) {
      counting.timers++;
      let isOver = false;
      const over = () => {
        if (!isOver) counting.timers--;
        isOver = true;
      };
      const cancel = clock.after(ms, () => {
        over();
        fn();
      });
      return () => {
        over();
        cancel();
      };
    },
  };
  return counting;
}

async function runHistory(t: TestContext, mode: "deny" | "local", steps: Iterable<Step>): Promise<void> {
  const { guard, provider, clock } = await makeFixture(t);
  const { revocations } = memoryStore({ clock });
  const isCut = { is: false };
  const feed = {
    snapshot: async () => await revocations.snapshot(),
    after: async (...asked: Parameters<typeof revocations.after>) =>
      isCut.is ? await Promise.reject(new Error("cut")) : await revocations.after(...asked),
    subscribe: (...asked: Parameters<typeof revocations.subscribe>) => revocations.subscribe(...asked),
  };
  const g = guard({
    degraded: { mode, maxMs: 20 * minute },
    memory: { ttlMs: 30_000 },
    clockToleranceMs: TOLERANCE_MS,
    revocations: feed,
    revocationPollMs: 10_000,
    maxRevocationAgeMs: 2 * minute,
  });
  await g.ready();
  const gate = holdAdmissions(g);
  const timed = countingTimers(clock);
  const connections = createConnections({
    guard: gate.guard,
    clock: timed,
    random: () => 0.5,
    maxPerSubject: MAX_PER_SUBJECT,
    recheckMs: minute,
  });
  const around: Environment = { clock, toleranceMs: TOLERANCE_MS, hadFailure: false, isDraining: false };
  const peers: Peer[] = [];
  let draining: Promise<void> | null = null;
  let tokens = 0;
  const make = (sub: string, life: number, wrong: Defect): Token => {
    const sid = `s${tokens++}`;
    const exp = Math.floor(clock.now() / 1000) + (wrong === "expired" ? -60 : life * 60);
    const subject = wrong === "another's" ? "eve" : sub;
    const good = provider.token({ sub: subject, sid, exp, scope: wrong === "narrow" ? "mail" : "chat" });
    const text = wrong === "forged" ? `${good.slice(0, -8)}AAAAAAAA` : good;
    return {
      sid,
      text,
      subject,
      exp,
      defect: wrong,
      isRevokedInLog: false,
      revokedInLogAt: Infinity,
      isRevokedAtProvider: false,
    };
  };
  /** Releases one admission, and waits for it: threads verify the signatures, and they do not follow the fake clock. */
  const check = async () => {
    const checked = gate.releaseFirst();
    await clock.advance(2_000);
    await checked;
  };
  const openOf = (subject: string) =>
    peers.filter(({ isOpen, connection }) => isOpen && connection.auth?.subject === subject).length;
  const assertInvariants = () => {
    const [open, pending] = ["open", "pending"].map(
      (state) => peers.filter(({ connection }) => connection.state === state).length,
    );
    const status = connections.status();
    assert.deepEqual([status.open, status.pending], [open, pending]);
    assert.ok(timed.timers <= (draining === null ? 1 : 2), `${timed.timers} timers`);
    for (const name of ["ann", "bob", "eve"]) assert.ok(openOf(name) <= MAX_PER_SUBJECT);
    for (const peer of peers) peer.assertInvariants();
  };
  for (const next of steps) {
    // A peer without a token rarely sends a message, because that closes the connection.
    const able = peers.filter(
      (peer) => peer.isConnected && (next.do !== "speak" || next.which === 0 || !peer.isAwaitingToken),
    );
    const peer = "which" in next ? able[next.which % Math.max(1, able.length)] : undefined;
    if (next.do === "connect") {
      const token = make(next.user, next.minutes, null);
      const [waiting, there] = [gate.pendingCount(), openOf(next.user)];
      const admitting = connections.admit(token.text, RULES);
      // The registry may have refused the handshake before it called the guard.
      if (gate.pendingCount() > waiting) void gate.releaseLast();
      await clock.advance(2_000);
      const admission = await admitting;
      if (admission.status === "admitted") {
        const transport = new Peer(around, next.user, token);
        transport.connection = connections.open(transport, admission, RULES);
        peers.push(transport);
      } else if (admission.status === "limited") {
        assert.equal(there, MAX_PER_SUBJECT);
      } else assert.ok(admission.status === "unavailable" && (around.hadFailure || around.isDraining));
    } else if (next.do === "expect") {
      const transport = new Peer(around, next.user, null);
      transport.connection = connections.expect(transport, RULES);
      peers.push(transport);
    } else if (next.do === "present") peer?.presentToken(make(peer.user, next.minutes, next.flaw));
    else if (next.do === "speak") peer?.sendMessage();
    else if (next.do === "go") peers[next.which % Math.max(1, peers.length)]?.disconnect();
    else if (next.do === "check") await check();
    else if (next.do === "pass") await clock.advance(next.ms);
    else if (next.do === "end in log" || next.do === "end at provider") {
      const token = peer?.checking ?? peer?.token;
      if (token && next.do === "end in log") {
        const until = clock.now() + 3 * 60 * minute;
        token.isRevokedInLog = true;
        token.revokedInLogAt = Math.min(token.revokedInLogAt, clock.now());
        await revocations.append({ kind: "session", id: token.sid, issuer: provider.issuer, until });
      } else if (token) {
        token.isRevokedAtProvider = true;
        provider.revoke(token.sid);
      }
    } else if (next.do === "drain") {
      // A drain ends the history, so it must be rare.
      if (next.which > 0) continue;
      around.isDraining = true;
      draining ??= connections.drain({ overMs: 1_000 });
    } else {
      if (next.do === "answer") provider.restore();
      else if (next.do === "refuse") provider.fault("introspection", { refuse: true });
      else if (next.do === "hang") provider.fault("introspection", { hang: true });
      else isCut.is = next.do === "cut";
      around.hadFailure ||= next.do !== "answer" && next.do !== "join";
    }
    await clock.advance(0);
    assertInvariants();
  }
  // After the last fault everything recovers: valid connections stay open, the others close, none is degraded.
  provider.restore();
  isCut.is = false;
  while (gate.pendingCount() > 0) await check();
  for (let i = 0; i < 6; i++) await clock.advance(30_000);
  assertInvariants();
  for (const peer of peers) peer.assertSettled();
  assert.equal(connections.status().degraded, 0);
  for (const peer of peers) peer.disconnect();
  await clock.advance(20_000);
  const { open, pending, subjects, closed } = connections.status();
  assert.deepEqual([open, pending, subjects], [0, 0, 0]);
  assert.deepEqual(
    Object.values(closed).reduce((sum, count) => sum + count, 0),
    peers.filter(({ code }) => code !== null).length,
  );
  assert.ok(Object.keys(closed).every((code) => Object.values<number>(closeCodes).includes(Number(code))));
  assert.equal(timed.timers, 0);
  await connections.close();
  await draining;
  await g.close();
}

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

for (const mode of ["deny", "local"] as const) {
  test(`laws 1, 2 and 3: under ${mode} a connection lasts as long as its token, and each close has a cause, in every history of events`, async (t) => {
    const steps = fc.array(step, { minLength: 20, maxLength: 90, size: "max" });
    await fc.assert(
      fc.asyncProperty(steps, async (history) => await runHistory(t, mode, history)),
      { numRuns: examples(60) },
    );
  });
}
