import assert from "node:assert/strict";
import { test } from "node:test";
import { pino, type Logger } from "pino";
import { auditEvents } from "../../src/core/events.ts";
import { logEvents, humanReadable } from "../../src/server/logs.ts";

/** What is logged, line by line, in JSON or as on a terminal. */
function logged(terminal: boolean): { lines: string[]; log: Logger } {
  const lines: string[] = [];
  const output = { write: (line: string) => void lines.push(line) };
  const options = { base: null, timestamp: () => ',"time":"2026-01-02T03:04:05.678Z"' };
  const formatters = { level: (level: string) => ({ level }) };
  const log: Logger = pino({ ...options, formatters }, terminal ? humanReadable(output) : output);
  return { lines, log };
}

const event = { at: 0, kind: "login", subject: "s1", session: null, source: "::1", detail: null } as const;

test("an audit event is one flat line of JSON, without what is not known", (t) => {
  const { lines, log } = logged(false);
  t.after(logEvents(log));
  auditEvents.publish(event);
  assert.deepEqual(
    lines.map((line) => JSON.parse(line) as unknown),
    [{ level: "info", time: "2026-01-02T03:04:05.678Z", audit: "login", subject: "s1", source: "::1" }],
  );
});

test("on a terminal a line is for people, and nothing in it steers the terminal", (t) => {
  const { lines, log } = logged(true);
  t.after(logEvents(log));
  auditEvents.publish({ ...event, source: "\u001b[2J" });
  log.warn({ guard: "service", event: "keys_failed" }, "no answer\u001b[2J\nfrom there");
  assert.deepEqual(lines, [
    '03:04:05 info login subject="s1" source="\\u001b[2J"\n',
    '03:04:05 warn keys_failed guard="service": no answer [2J from there\n',
  ]);
});
