import assert from "node:assert/strict";
import { test } from "node:test";
import type { Logger } from "pino";
import { auditEvents, guardEvents, issuerEvents, storeEvents } from "../../src/core/event-channels.ts";
import type { LogFields } from "../../src/server/log-fields.ts";
import { humanReadable, logEvents, openLogger } from "../../src/server/logs.ts";
import { FakeClock } from "../../src/testing/index.ts";
import { createSessionDigest } from "../../src/server/session-digest.ts";

const SECRET = "s".repeat(43);

/** Creates a logger whose lines are kept: JSON lines, or the lines of a terminal. */
function capture(isTerminal: boolean): { lines: string[]; log: Logger } {
  const lines: string[] = [];
  const output = { write: (line: string) => void lines.push(line) };
  return { lines, log: openLogger("debug", isTerminal ? humanReadable(output) : output) };
}

function parse(line = "{}"): LogFields {
  return JSON.parse(line) as LogFields;
}

const event = {
  at: 0,
  kind: "login",
  subject: "s1",
  session: null,
  source: "::1",
  actor: null,
  detail: null,
} as const;

test("logs an audit event as one flat line with the field names of OpenTelemetry", (t) => {
  const { lines, log } = capture(false);
  t.after(logEvents(log, () => null));
  const before = Date.now();
  auditEvents.publish(event);
  const [{ timestamp = "", ...fields } = {}, ...others] = lines.map(parse);
  assert.deepEqual(others, []);
  assert.deepEqual(fields, {
    severity_text: "INFO",
    severity_number: 9,
    "event.name": "holdfast.audit.login",
    "user.id": "s1",
    "client.address": "::1",
  });
  assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Date.parse(timestamp) >= before);
});

test("law 5: names a session by a keyed digest, so that its lines can be joined and no id is in the log", (t) => {
  const { lines, log } = capture(false);
  t.after(logEvents(log, () => createSessionDigest(SECRET)));
  const session = "4d19704f4994761b2447054feeed33f1";
  auditEvents.publish({ ...event, session });
  auditEvents.publish({ ...event, kind: "session_ended", session });
  auditEvents.publish({ ...event, session: "another" });
  const [first, second, other] = lines.map((line) => parse(line)["holdfast.session"]);
  assert.match(first ?? "", /^[\da-f]{16}$/);
  assert.equal(second, first);
  assert.notEqual(other, first);
  assert.ok(!lines.join("").includes(session));
  assert.notEqual(createSessionDigest("t".repeat(43))(session), first, "the secret is the key");
  assert.equal(createSessionDigest(`${SECRET},${"t".repeat(43)}`)(session), first, "the first secret counts");
});

test("logs the session of no event while the secret is unknown", (t) => {
  const { lines, log } = capture(false);
  t.after(logEvents(log, () => null));
  auditEvents.publish({ ...event, session: "a session" });
  assert.equal(parse(lines[0])["holdfast.session"], undefined);
  assert.ok(!lines.join("").includes("a session"));
});

test("names an event after its channel, because several channels share names", (t) => {
  const { lines, log } = capture(false);
  t.after(logEvents(log, () => null));
  guardEvents.publish({ guard: "g", issuer: null, event: "keys_distrusted", message: "one" });
  issuerEvents.publish({ issuer: "i", event: "store_rolled_back", message: "two" });
  storeEvents.publish({ store: "redis", event: "connection_restored", message: "three" });
  auditEvents.publish({ ...event, kind: "keys_distrusted" });
  assert.deepEqual(
    lines.map((line) => [parse(line)["event.name"], parse(line).severity_text, parse(line).body]),
    [
      ["holdfast.guard.keys_distrusted", "WARN", "one"],
      ["holdfast.issuer.store_rolled_back", "WARN", "two"],
      ["holdfast.store.connection_restored", "INFO", "three"],
      ["holdfast.audit.keys_distrusted", "INFO", undefined],
    ],
  );
});

test("writes readable lines to a terminal, without control characters", (t) => {
  const { lines, log } = capture(true);
  t.after(logEvents(log, () => null));
  auditEvents.publish({ ...event, source: "\u001b[2J" });
  auditEvents.publish({ ...event, source: "\u009b2J\u202e\u2028é" });
  guardEvents.publish({
    guard: "service",
    issuer: null,
    event: "keys_failed",
    message: "no answer\u001b[2J\nfrom there",
  });
  assert.deepEqual(
    lines.map((line) => line.replace(/^\d\d:\d\d:\d\d/, "03:04:05")),
    [
      '03:04:05 INFO audit.login user.id="s1" client.address="\\u001b[2J"\n',
      '03:04:05 INFO audit.login user.id="s1" client.address="\\u{9b}2J\\u{202e}\\u{2028}é"\n',
      '03:04:05 WARN guard.keys_failed guard="service": no answer [2J from there\n',
    ],
  );
});

test("logs routine events at debug, recoveries at info and every other event as a warning", (t) => {
  const { lines, log } = capture(false);
  t.after(logEvents(log, () => null));
  const names = [
    "keys_refreshed",
    "revocations_synced",
    "breaker_closed",
    "degraded_ended",
    "breaker_opened",
  ] as const;
  for (const name of names) guardEvents.publish({ guard: "g", issuer: null, event: name, message: name });
  issuerEvents.publish({ issuer: "i", event: "store_restored", message: "the store answers again" });
  assert.deepEqual(
    lines.map((line) => parse(line).severity_text),
    ["DEBUG", "DEBUG", "INFO", "INFO", "WARN", "INFO"],
  );
});

test("logs the first failure of a feed of revocations, one in each minute, and the first one after it was read", async (t) => {
  const { lines, log } = capture(false);
  const clock = new FakeClock();
  t.after(logEvents(log, () => null, clock));
  const publish = (name: "revocations_failed" | "revocations_synced", issuer = "i") =>
    guardEvents.publish({ guard: "g", issuer, event: name, message: `${name} ${issuer}` });
  const bodies = () => lines.splice(0).map((line) => parse(line).body);
  for (let second = 0; second < 120; second += 5) {
    publish("revocations_failed");
    await clock.advance(5_000);
  }
  assert.deepEqual(bodies(), ["revocations_failed i", "revocations_failed i"]);
  publish("revocations_failed");
  publish("revocations_failed", "another");
  assert.deepEqual(bodies(), ["revocations_failed i", "revocations_failed another"]);
  publish("revocations_synced");
  publish("revocations_failed");
  assert.deepEqual(bodies(), ["revocations_synced i", "revocations_failed i"]);
  // The end of an outage is news. Any other complete view is routine.
  for (let i = 0; i < 2; i++) publish("revocations_synced");
  assert.deepEqual(
    lines.map((line) => parse(line).severity_text),
    ["INFO", "DEBUG"],
  );
});
