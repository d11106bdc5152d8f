import assert from "node:assert/strict";
import { test } from "node:test";
import { guardEvents } from "../../../src/core/event-channels.ts";
import { EventLog } from "../../../src/server/dashboard/event-log.ts";
import type { TimelineEvent } from "../../../src/dashboard/wire-state.ts";
import { FakeClock } from "../../../src/testing/index.ts";

function setUp() {
  const clock = new FakeClock();
  const sent: TimelineEvent[] = [];
  const log = new EventLog(clock, (event) => void sent.push(event));
  const add = (kind: string, issuer: string | null = null) =>
    log.add({ source: "guard", kind, tone: "warning", issuer, message: kind });
  return { clock, sent, log, add };
}

test("law 6: a flood of one kind about made-up issuers is cut and counted, and one about one issuer hides no other", async () => {
  const { clock, sent, log, add } = setUp();
  for (let second = 0; second < 60; second++) {
    for (let i = 0; i < 1_000; i++) add("keys_failed", `https://${second}-${i}.example`);
    await clock.advance(1_000);
  }
  assert.equal(sent.length, 60 * 20);
  add("keys_failed", "https://last.example");
  assert.equal(sent.at(-1)?.omitted, 980);
  for (let second = 0; second < 10; second++) {
    for (let i = 0; i < 100; i++) add("keys_failed", "https://one.example");
    add("keys_failed", "https://two.example");
    await clock.advance(1_000);
  }
  const latest = sent.slice(-6).map(({ issuer }) => issuer);
  assert.deepEqual(latest, [
    ...Array.from({ length: 5 }, () => "https://one.example"),
    "https://two.example",
  ]);
  assert.ok(log.after(0).length <= 500);
});

test("law 6: a client that sends wrong tokens for hours adds one refusal an hour for each reason and issuer", async (t) => {
  const { clock, sent, log } = setUp();
  t.after(log.subscribe());
  const refuse = (reason: string, issuer: string | null) =>
    guardEvents.publish({ guard: "service", issuer, event: "token_refused", message: `${reason}: its …` });
  for (let minute = 0; minute < 120; minute++) {
    for (const issuer of ["https://a.example", "https://b.example"]) refuse("wrong_audience", issuer);
    refuse("wrong_issuer", null);
    await clock.advance(60_000);
  }
  assert.equal(sent.length, 6);
  assert.deepEqual(
    sent.map(({ omitted }) => omitted),
    [0, 0, 0, 59, 59, 59],
  );
});

test("law 6: the issuers that no guard trusts add five refusals an hour, so one stranger hides no mistake", async (t) => {
  const { clock, sent, log } = setUp();
  t.after(log.subscribe());
  const refuse = (iss: string) => {
    const message = `wrong_issuer: its "iss" is "${iss}"`;
    guardEvents.publish({ guard: "service", issuer: null, event: "token_refused", message });
  };
  for (let i = 0; i < 100; i++) refuse(`https://stranger.example/${Math.min(i, 2)}`);
  refuse("https://id.example/");
  for (let i = 0; i < 100; i++) refuse(`https://stranger.example/more/${i}`);
  const named = () => sent.filter(({ message }) => message.includes('"https://id.example/"')).length;
  assert.deepEqual([sent.length, named()], [5, 1]);
  await clock.advance(3_600_000);
  refuse("https://id.example/");
  assert.deepEqual([sent.length, named()], [6, 2]);
});
