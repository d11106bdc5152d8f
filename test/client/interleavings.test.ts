import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import type { AuthClient } from "../../src/client/index.ts";
import { settle, startDevice, type Device, type FaultRule } from "./device.ts";

type Act = (device: Device, tab: AuthClient, amount: number) => unknown;

const appUrl = "https://app.example.com";
const as = (username: string) => ({ username, password: "correct horse battery" });
const userOf = ({ state }: AuthClient) => (state.status === "in" ? state.subject : state.status);

/** What a user, the network and the device do. A call is not awaited, because its answer may be held back. */
const acts = {
  ann: (_, tab) => tab.login(as("ann")),
  bob: (_, tab) => tab.login(as("bob")),
  logout: (_, tab) => tab.logout(),
  refresh: (_, tab) => tab.accessToken({ fresh: true }),
  token: (_, tab) => tab.accessToken(),
  time: ({ clock }, _, amount) => clock.advance(amount ** 2 * 10),
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

/** A `fetch` with the cookies of one browser. They go with a request when it is sent, and change when its answer arrives. */
function withCookies(device: Device): typeof fetch {
  const jar = new Map<string, string>();
  return async (input, init) => {
    const plain = new Request(input, init);
    const headers = new Headers(plain.headers);
    headers.set("Origin", appUrl);
    headers.set("Cookie", [...jar].map(([name, value]) => `${name}=${value}`).join("; "));
    const request = new Request(plain, { headers });
    const pass = async () => await device.issuer.fetch(request.clone());
    const response = await (device.fault(new URL(request.url).pathname, request, pass) ?? pass());
    for (const line of plain.signal.aborted ? [] : response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]*)=([^;]*)/.exec(line) ?? [];
      if (/Max-Age=0/i.test(line)) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  };
}

type Mode = "token" | "cookie";

async function play(
  t: TestContext,
  mode: Mode,
  steps: [ActName | "release", number, number][],
  faults: string[],
) {
  const device = startDevice(t, { cookies: { origins: [appUrl] } });
  const key = String(Math.random());
  const options = mode === "cookie" ? { mode, key, fetch: withCookies(device) } : { key };
  const tabs = [0, 1, 2].map(() => device.tab(options));
  const release = injectFaults(device, faults);
  const calls: Promise<unknown>[] = [];
  let logins = 0;
  let isLoggedOut = false;
  /** The user whose login was the last change, and met no other one. */
  let user: string | undefined;
  let changes = 0;
  for (const [name, index, amount] of steps) {
    const tab = tabs[index]!;
    const isLogin = name === "ann" || name === "bob";
    // A login that is under way may still begin a session after the logout of another user's.
    isLoggedOut = name === "logout" ? logins === 0 : isLoggedOut && !isLogin;
    if (isLogin || name === "logout") {
      changes++;
      user = undefined;
    }
    const isAlone = isLogin && logins === 0;
    const change = changes;
    if (isLogin) logins++;
    if (name === "release") release();
    else {
      const act = async () => {
        try {
          await acts[name](device, tab, amount);
          if (isAlone && change === changes) user = name;
        } catch {
          // A call may be refused or unavailable.
        }
        if (isLogin) logins--;
      };
      calls.push(act());
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
  if (user !== undefined) {
    for (const tab of tabs) await tab.accessToken({ fresh: true });
    assert.deepEqual(tabs.map(userOf), [user, user, user], "the last login lasts");
  }
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

for (const mode of ["token", "cookie"] as const) {
  test(`law 3: in ${mode} mode, tabs agree after any calls and faults, a logout stays one, and the next login works`, async (t) => {
    // Without a storage, tabs in cookie mode hear too late that a logout has been sent.
    const names = (Object.keys(acts) as ActName[]).filter((act) => mode === "token" || act !== "storage");
    const name = fc.constantFrom<ActName | "release">(...names, "release");
    const step = fc.tuple(name, fc.nat(2), fc.nat(90));
    const fault = fc.constantFrom("", "unavailable", "cut", "late", "held", "lost");
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 8, maxLength: 16 }),
        fc.array(fault, { minLength: 10, maxLength: 30 }),
        async (steps, faults) => await play(t, mode, steps, faults),
      ),
      { numRuns: 60 },
    );
  });
}
