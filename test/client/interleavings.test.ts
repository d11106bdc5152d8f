import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import type { AuthClient } from "../../src/client/index.ts";
import { settle, startDevice, type Device, type FaultRule } from "./device.ts";

type Act = (device: Device, tab: AuthClient, amount: number) => unknown;

const as = (username: string) => ({ username, password: "correct horse battery" });
const userOf = ({ state }: AuthClient) => (state.status === "in" ? state.subject : state.status);

/** What a user, the network and the device do. A call is not awaited, because its answer may be held back. */
const acts = {
  ann: (_, tab) => tab.login(as("ann")),
  bob: (_, tab) => tab.login(as("bob")),
  logout: (_, tab) => tab.logout(),
  refresh: (_, tab) => tab.accessToken({ fresh: true }),
  token: (_, tab) => tab.accessToken(),
  time: ({ clock }, _, amount) => clock.advance(amount * 1_000),
  sleep: ({ clock }, _, amount) => clock.suspend(amount * 300_000),
  storage: ({ storage }) => (storage.isBroken = !storage.isBroken),
} satisfies Record<string, Act>;
type ActName = keyof typeof acts;

/** Answers each request by the next of the given faults. Returns the function that lets held answers go. */
function injectFaults(device: Device, faults: readonly string[]): () => void {
  const kinds = faults.values();
  const held = new Set<() => void>();
  const hold = async () => await new Promise<void>((resolve) => held.add(resolve));
  const rules: Record<string, FaultRule> = {
    unavailable: () => new Response("", { status: 503 }),
    cut: async () => await Promise.reject(new TypeError("Failed to fetch")),
    late: async (_, __, pass) => await hold().then(pass),
    held: async (_, __, pass) => {
      const answer = await pass();
      await hold();
      return answer;
    },
    // A login whose answer is lost leaves a session that no client knows.
    lost: async (path, __, pass) => {
      const answer = await pass();
      return path === "/auth/login" ? answer : await Promise.reject(new TypeError("Failed to fetch"));
    },
  };
  device.fault = (path, request, pass) => rules[kinds.next().value ?? ""]?.(path, request, pass);
  return () => {
    for (const resume of held) resume();
    held.clear();
  };
}

async function play(t: TestContext, steps: [ActName | "release", number, number][], faults: string[]) {
  const device = startDevice(t);
  const key = String(Math.random());
  const tabs = [0, 1, 2].map(() => device.tab({ key }));
  const release = injectFaults(device, faults);
  const calls: Promise<unknown>[] = [];
  let logins = 0;
  let isLoggedOut = false;
  for (const [name, index, amount] of steps) {
    const tab = tabs[index]!;
    const isLogin = name === "ann" || name === "bob";
    // A login that is under way may still begin a session after the logout of another user's.
    isLoggedOut = name === "logout" ? logins === 0 : isLoggedOut && !isLogin;
    if (isLogin) logins++;
    if (name === "release") release();
    else {
      const call = Promise.resolve(acts[name](device, tab, amount)).catch(() => undefined);
      calls.push(isLogin ? call.finally(() => logins--) : call);
    }
    await settle();
    if (isLoggedOut) assert.deepEqual(tabs.map(userOf), ["out", "out", "out"]);
  }
  device.fault = () => undefined;
  device.storage.isBroken = false;
  for (let round = 0; round < 6; round++) {
    release();
    await device.clock.advance(31_000);
    await settle();
  }
  await Promise.all(calls);
  assert.equal(new Set(tabs.map(userOf)).size, 1, "all tabs show the same");
  await tabs[0]!.logout();
  await settle();
  assert.deepEqual(tabs.map(userOf), ["out", "out", "out"]);
  assert.deepEqual(device.storage.record?.outbox, []);
  await tabs[1]!.login(as("zoe"));
  await settle();
  for (const tab of tabs) await tab.accessToken({ fresh: true });
  assert.deepEqual(tabs.map(userOf), ["zoe", "zoe", "zoe"]);
  assert.equal(await device.hasAlarm(), false);
  for (const tab of tabs) tab.close();
}

test("law 3: tabs agree after any calls and faults, a logout stays one, and the next login works", async (t) => {
  const name = fc.constantFrom<ActName | "release">(...(Object.keys(acts) as ActName[]), "release");
  const step = fc.tuple(name, fc.nat(2), fc.nat(90));
  const fault = fc.constantFrom("", "unavailable", "cut", "late", "held", "lost");
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 8, maxLength: 16 }),
      fc.array(fault, { minLength: 10, maxLength: 30 }),
      async (steps, faults) => await play(t, steps, faults),
    ),
    { numRuns: 60 },
  );
});
