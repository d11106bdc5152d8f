import assert from "node:assert/strict";
import { test } from "node:test";
import { createProvider, FakeClock, seededRandom, type Fault } from "../../src/testing/index.ts";

const audience = "https://api.example.com";

/** Sends each request in-process and over the network. */
async function both(
  fault: Fault,
  see: (get: (init?: RequestInit) => Promise<Response>, way: string) => Promise<void>,
): Promise<void> {
  const provider = await createProvider({ audience });
  const fetches = { "in-process": provider.fetch, listening: fetch };
  for (const [way, get] of Object.entries(fetches)) {
    if (way === "listening") await provider.listen();
    const right = await (await get(provider.url("jwks"))).text();
    provider.fault("jwks", fault);
    await see(async (init) => await get(provider.url("jwks"), init), way);
    provider.restore();
    assert.equal(await (await get(provider.url("jwks"))).text(), right, "restored");
  }
  await provider.close();
}

const answered: [fault: Fault, status: number, body: RegExp][] = [
  [{ status: 500 }, 500, /^\{"error":/],
  [{ status: 429, headers: { "Retry-After": "7" } }, 429, /^\{"error":/],
  [{ status: 204 }, 204, /^$/],
  [{ answer: "html" }, 200, /^<!doctype html>/],
  [{ answer: "html", status: 502 }, 502, /^<!doctype html>/],
  [{ answer: "no-content" }, 204, /^$/],
  [{ answer: "empty" }, 200, /^$/],
  [{ answer: "truncated" }, 200, /^\{"keys":\[\{.*[^}]$/],
  [{ answer: "wrong-schema" }, 200, /^\{"data":\{"keys":\[.*\]\}\}$/],
  [{ answer: "string-booleans" }, 200, /^\{"active":"false","valid":"false"\}$/],
  [{ respond: () => Response.json({ keys: [] }) }, 200, /^\{"keys":\[\]\}$/],
];
for (const [fault, status, body] of answered) {
  test(`the fault ${JSON.stringify(fault)} answers ${status} and ${body}`, async () => {
    await both(fault, async (get) => {
      const response = await get();
      assert.equal(response.status, status);
      assert.equal(response.headers.get("retry-after"), fault.headers?.["Retry-After"] ?? null);
      assert.match(await response.text(), body);
    });
  });
}

test("a huge answer is the correct one, padded to more than 10 MB", async () => {
  await both({ answer: "huge" }, async (get) => {
    const text = await (await get()).text();
    assert.ok(text.length > 10_000_000);
    const { padding, ...right } = JSON.parse(text) as { padding: string; keys: unknown[] };
    assert.equal(typeof padding, "string");
    assert.equal(right.keys.length, 1);
  });
});

test("a redirect leads to the correct answer, which exposes a client that follows it", async () => {
  await both({ answer: "redirect" }, async (get) => {
    assert.equal((await get({ redirect: "manual" })).status, 307);
    await assert.rejects(get({ redirect: "error" }), TypeError);
    assert.match(await (await get()).text(), /^\{"keys":\[\{/);
  });
});

test("refuse rejects fetch and resets sockets", async () => {
  await both({ refuse: true }, async (get) => {
    await assert.rejects(get(), { name: "TypeError", message: "fetch failed" });
  });
});

test("an endless body lasts while it is read, and ends with its reader", async () => {
  await both({ answer: "endless" }, async (get) => {
    const leave = new AbortController();
    const reader = (await get({ signal: leave.signal })).body?.getReader();
    let bytes = 0;
    while (bytes < 3_000_000) bytes += (await reader?.read())?.value?.length ?? Number.NaN;
    leave.abort(new Error("enough"));
    await assert.rejects(async () => {
      for (;;) await reader?.read();
    });
  });
});

test("slow-loris sends its headers at once and then one byte a second", async () => {
  const clock = new FakeClock();
  const provider = await createProvider({ audience, clock });
  provider.fault("jwks", { answer: "slow-loris" });
  const response = await provider.fetch(provider.url("jwks"));
  assert.equal(response.status, 200);
  const text = response.text();
  const { length } = JSON.stringify(provider.jwks());
  await clock.advance((length - 1) * 1000);
  assert.equal(provider.counts("jwks").concurrent, 1);
  await clock.advance(1000);
  assert.deepEqual(JSON.parse(await text), provider.jwks());
  assert.equal(provider.counts("jwks").concurrent, 0);
});

test("slow-loris leaves no timer when its reader stops", async () => {
  const clock = new FakeClock();
  const provider = await createProvider({ audience, clock });
  provider.fault("jwks", { answer: "slow-loris" });
  for (const go of ["cancel", "abort"]) {
    const leave = new AbortController();
    const { body } = await provider.fetch(provider.url("jwks"), { signal: leave.signal });
    const reader = body?.getReader();
    const read = reader?.read();
    await clock.advance(0);
    assert.equal(clock.pending, 1);
    if (go === "abort") leave.abort(new Error("gone"));
    else await reader?.cancel();
    await (go === "abort" ? assert.rejects(async () => await read, { message: "gone" }) : read);
    await clock.advance(0);
    assert.equal(clock.pending, 0);
    assert.equal(provider.counts("jwks").concurrent, 0);
  }
});

test("slow-loris works over the network as well", async () => {
  const clock = new FakeClock();
  const provider = await createProvider({ audience, clock });
  await provider.listen();
  provider.fault("jwks", { answer: "slow-loris" });
  const reader = (await fetch(provider.url("jwks"))).body?.getReader();
  for (const byte of '{"k') {
    const read = reader?.read();
    while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(1000);
    assert.equal(Buffer.from((await read)?.value ?? []).toString(), byte);
  }
  await provider.close();
});

test("latency runs on the injected clock and ends at an abort", async () => {
  const clock = new FakeClock();
  const provider = await createProvider({ audience, clock });
  const waits = [150, 20];
  provider.fault("all", { latencyMs: () => waits.shift() ?? 0 });
  let done = false;
  const first = provider.fetch(provider.url("jwks")).then((response) => (done = response.ok));
  await clock.advance(149);
  assert.equal(done, false);
  await clock.advance(1);
  assert.equal(await first, true);
  const leave = new AbortController();
  const second = provider.fetch(provider.url("discovery"), { signal: leave.signal });
  leave.abort(new Error("given up"));
  await assert.rejects(second, { message: "given up" });
  assert.equal(clock.pending, 0);
});

test("hang holds requests until the fault is cleared", async () => {
  await both({ hang: true }, async (get, way) => {
    const leave = new AbortController();
    const given = get({ signal: leave.signal });
    leave.abort(new Error(`given up ${way}`));
    await assert.rejects(given, { message: `given up ${way}` });
  });
  const provider = await createProvider({ audience });
  await provider.listen();
  for (const get of [provider.fetch, fetch]) {
    provider.resetCounts();
    provider.fault("all", { hang: true });
    const asked = [get(provider.url("jwks")), get(provider.url("jwks"))];
    while (provider.counts("jwks").concurrent < 2) await new Promise((resolve) => setImmediate(resolve));
    provider.restore("jwks");
    for (const late of asked) assert.deepEqual(await (await late).json(), provider.jwks());
    assert.deepEqual(provider.counts("jwks"), { requests: 2, concurrent: 0, mostConcurrent: 2 });
  }
  await provider.close();
});

test("a fault with a probability hits the same requests each time, in about its proportion", async () => {
  const run = async (random?: () => number) => {
    const provider = await createProvider({ audience, ...(random && { random }) });
    provider.fault("jwks", { status: 500, probability: 0.3 });
    const statuses = [];
    for (let i = 0; i < 200; i++) statuses.push((await provider.fetch(provider.url("jwks"))).status);
    return statuses;
  };
  const statuses = await run();
  assert.deepEqual(await run(), statuses);
  assert.notDeepEqual(await run(seededRandom(2)), statuses);
  const struck = statuses.filter((status) => status === 500).length;
  assert.ok(struck > 40 && struck < 80, `${struck} of 200`);
});

test("a fault hits its number of requests, at its own endpoint only", async () => {
  const provider = await createProvider({ audience });
  provider.fault("jwks", { status: 503, times: 2 });
  const status = async (endpoint: "jwks" | "discovery") =>
    (await provider.fetch(provider.url(endpoint))).status;
  assert.equal(await status("discovery"), 200);
  assert.deepEqual([await status("jwks"), await status("jwks"), await status("jwks")], [503, 503, 200]);
  assert.deepEqual(provider.counts("jwks"), { requests: 3, concurrent: 0, mostConcurrent: 1 });
  provider.resetCounts();
  assert.deepEqual(provider.counts("jwks"), { requests: 0, concurrent: 0, mostConcurrent: 0 });
});
