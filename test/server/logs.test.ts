import assert from "node:assert/strict";
import { test } from "node:test";
import { pino, type Logger } from "pino";
import { auditEvents, guardEvents } from "../../src/core/event-channels.ts";
import { logEvents, humanReadable } from "../../src/server/logs.ts";

/** Creates a logger whose lines are kept: JSON lines, or the lines of a terminal. */
function capture(isTerminal: boolean): { lines: string[]; log: Logger } {
  const lines: string[] = [];
  const output = { write: (line: string) => void lines.push(line) };
  const options = { base: null, timestamp: () => ',"time":"2026-01-02T03:04:05.678Z"' };
  const formatters = { level: (level: string) => ({ level }) };
  const log: Logger = pino({ ...options, formatters }, isTerminal ? humanReadable(output) : output);
  return { lines, log };
}

const event = { at: 0, kind: "login", subject: "s1", session: null, source: "::1", detail: null } as const;

test("logs an audit event as one flat line of JSON, without its empty members", (t) => {
  const { lines, log } = capture(false);
  t.after(logEvents(log));
  auditEvents.publish(event);
  assert.deepEqual(
    lines.map((line) => JSON.parse(line) as unknown),
    [{ level: "info", time: "2026-01-02T03:04:05.678Z", audit: "login", subject: "s1", source: "::1" }],
  );
});

test("writes readable lines to a terminal, without control characters", (t) => {
  const { lines, log } = capture(true);
  t.after(logEvents(log));
  auditEvents.publish({ ...event, source: "\u001b[2J" });
  log.warn({ guard: "service", event: "keys_failed" }, "no answer\u001b[2J\nfrom there");
  assert.deepEqual(lines, [
    '03:04:05 info login subject="s1" source="\\u001b[2J"\n',
    '03:04:05 warn keys_failed guard="service": no answer [2J from there\n',
  ]);
});

test("logs routine events at debug, recoveries at info and every other event as a warning", (t) => {
  const { lines, log } = capture(false);
  t.after(logEvents(log));
  log.level = "debug";
  const names = [
    "keys_refreshed",
    "revocations_synced",
    "breaker_closed",
    "degraded_ended",
    "breaker_opened",
  ] as const;
  for (const name of names) guardEvents.publish({ guard: "g", issuer: null, event: name, message: name });
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { level: string }).level),
    ["debug", "debug", "info", "info", "warn"],
  );
});
