import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test, type TestContext } from "node:test";
import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { HealthMonitor } from "../../../src/server/health/health-monitor.ts";
import { EventStream } from "../../../src/server/dashboard/event-stream.ts";
import { Sampler } from "../../../src/server/dashboard/sampler.ts";
import { listen } from "../../../src/server/http/listen.ts";
import { toRequestListener } from "../../../src/server/http/request-listener.ts";
import { createLogger } from "../../../src/server/logs.ts";
import { startService, type RunningService } from "../../../src/server/serve.ts";
import type { Instance } from "../../../src/dashboard/wire.ts";
import { FakeClock } from "../../../src/testing/index.ts";
import { login } from "../../support/auth-calls.ts";
import {
  nextMessage,
  readMessages,
  unpackHistory,
  type StreamMessage,
} from "../../support/dashboard-stream.ts";
import { waitUntil, within } from "../../support/deadline.ts";
import { temporarySettings } from "../temporary-settings.ts";
import { composedService, samplerOptions } from "./composed-service.ts";

const MAX_VIEWERS = 20;

async function start(t: TestContext): Promise<RunningService> {
  const running = await startService(await temporarySettings(), createLogger("silent"));
  t.after(running.stop);
  return running;
}

/** Opens a stream that ends with the test. */
async function open(
  t: TestContext,
  { adminAddress }: RunningService,
  headers: Record<string, string> = {},
): Promise<{ response: Response; messages: AsyncGenerator<StreamMessage>; leave: () => void }> {
  const leaving = new AbortController();
  t.after(() => leaving.abort());
  const response = await fetch(`${adminAddress}/events`, { headers, signal: leaving.signal });
  return { response, messages: readMessages(response), leave: () => leaving.abort() };
}

test("a viewer gets a snapshot, then a frame each second, and events as they come", async (t) => {
  const running = await start(t);
  const { response, messages } = await open(t, running);
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  assert.equal(response.headers.get("cache-control"), "no-store");
  const { data: snapshot } = await nextMessage(messages, "snapshot");
  assert.equal(snapshot.instance.url, running.publicAddress);
  assert.deepEqual(snapshot.issuers, [running.publicAddress]);
  assert.equal(snapshot.frame.values.length, snapshot.fields.length);
  assert.equal(snapshot.frame.state.headline.status, "ok");
  const rows = await unpackHistory(snapshot.seconds, snapshot.fields.length);
  assert.equal(rows.at(-1)?.at, snapshot.frame.at);
  await login(running.publicAddress);
  const { data: event } = await nextMessage(messages, "event", ({ source }) => source === "audit");
  assert.deepEqual([event.kind, event.tone, event.audit?.source], ["login", "info", "127.0.0.1"]);
  const column = snapshot.fields.indexOf("logins.okPerS");
  const counted = await nextMessage(messages, "frame", ({ values }) => (values[column] ?? 0) > 0);
  assert.ok(counted.data.at > snapshot.frame.at);
});

test("a viewer that comes back with its last id gets what it missed, and no row twice", async (t) => {
  const running = await start(t);
  const first = await open(t, running);
  const { data: snapshot } = await nextMessage(first.messages, "snapshot");
  const seen = await nextMessage(first.messages, "frame");
  first.leave();
  await login(running.publicAddress);
  const second = await open(t, running, { "last-event-id": seen.id });
  const { data: resumed } = await nextMessage(second.messages, "snapshot");
  assert.ok(resumed.resumed && !snapshot.resumed);
  assert.ok(resumed.events.some(({ kind }) => kind === "login"));
  const rows = await unpackHistory(resumed.seconds, resumed.fields.length);
  const later = await nextMessage(second.messages, "frame");
  const times = [seen.data.at, ...rows.map(({ at }) => at), later.data.at];
  assert.deepEqual(
    times,
    [...new Set(times)].toSorted((a, b) => a - b),
  );
  for (const wrong of [
    "",
    "x.1.1",
    `${seen.id}0`,
    seen.id.replace(/^[^.]+/, "another"),
    "a".repeat(20_000),
  ]) {
    const other = await open(t, running, { "last-event-id": wrong });
    assert.equal((await nextMessage(other.messages, "snapshot")).data.resumed, false, wrong);
    other.leave();
  }
});

test("the 21st viewer gets 503 with words, and a place that became free", async (t) => {
  const running = await start(t);
  const heads = Array.from({ length: MAX_VIEWERS }, async () => {
    const { status } = await fetch(`${running.adminAddress}/events`, { method: "HEAD" });
    assert.equal(status, 200, "a HEAD takes no place");
  });
  await Promise.all(heads);
  const viewers = [];
  for (let i = 0; i < MAX_VIEWERS; i++) viewers.push(await open(t, running));
  const refused = await open(t, running);
  assert.equal(refused.response.status, 503);
  assert.equal(refused.response.headers.get("retry-after"), "10");
  const { error_description: words } = (await refused.response.json()) as { error_description: string };
  assert.match(words, /has 20 viewers/);
  viewers[0]?.leave();
  const retry = async () => {
    for (;;) {
      const { response } = await open(t, running);
      if (response.status === 200) return;
      await response.text();
    }
  };
  await within(retry(), 20_000, "a free place");
});

test("a stop of the service ends every stream, and does not wait for its viewers", async (t) => {
  const running = await start(t);
  const { messages } = await open(t, running);
  await nextMessage(messages, "snapshot");
  const ended = (async () => {
    for await (const _ of messages);
  })();
  await within(running.stop(), 8_000, "the stop");
  await within(ended, 8_000, "the end of the stream");
});

test("law 6: a viewer that reads nothing is dropped without a line in the log, and costs no more than 4 MiB", async (t) => {
  const service = await composedService(t);
  const clock = new FakeClock();
  const sampler = new Sampler(service, samplerOptions(new HealthMonitor(service, new Set(), clock), clock));
  const stream = new EventStream(sampler, () => ({ id: "a" }) as Instance);
  sampler.start();
  t.after(() => sampler.stop());
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.get("/", (c) =>
    stream.open(undefined, { isLocal: true, disconnect: () => void c.env.outgoing.destroy() }),
  );
  const listener = await listen("127.0.0.1", 0, "HOLDFAST_ADMIN_PORT");
  t.after(listener.stop);
  listener.mount(toRequestListener(app.fetch));
  const printed = t.mock.method(console, "error", () => {});
  const silent = connect(listener.port, "127.0.0.1").pause();
  const closed = once(silent, "close");
  silent.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await waitUntil(async () => stream.count === 1, "the silent viewer");
  const other = readMessages(stream.open(undefined, { isLocal: true, disconnect: () => {} }));
  await nextMessage(other, "snapshot");
  for (let frames = 0; stream.count === 2 && frames < 10_000; frames++) {
    await clock.advance(1_000);
    await nextMessage(other, "frame");
  }
  assert.equal(stream.count, 1, "the viewer that reads stays");
  silent.resume();
  await within(closed, 20_000, "the end of the connection");
  assert.equal(printed.mock.callCount(), 0);
});
