import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { connectionEvents } from "../../src/core/event-channels.ts";
import type { ConnectionEvent } from "../../src/core/events.ts";
import { makeFixture, minute } from "../guard/degraded/fixture.ts";
import {
  createTestConnections,
  holdAdmissions,
  openConnection,
  setUp,
  TestTransport,
  tokenMessage,
} from "./fixture.ts";

test("an application is told once about other scopes, and not about another id or other times", async () => {
  const { clock, connections, mint } = await setUp();
  const { connection } = await openConnection(connections, mint.token({ scope: "chat admin" }));
  const changes: string[] = [];
  connection.onChange(({ before, now }) => changes.push(`${before.scopes.join()} > ${now.scopes.join()}`));
  await clock.advance(60_000);
  await connection.presentToken(mint.token({ scope: "admin chat" }));
  assert.deepEqual(changes, [], "the order of scopes is no change");
  await connection.presentToken(mint.token({ scope: "chat" }));
  await connection.presentToken(mint.token({ scope: "chat" }));
  assert.equal(changes.length, 1);
  await connection.presentToken(mint.token({ scope: "chat", tenant: "acme" }));
  assert.deepEqual(changes.slice(1), ["chat > chat"], "a claim is a change");
  await connection.presentToken("nonsense");
  await connection.presentToken(mint.token({ exp: 1, scope: "other" }));
  assert.equal(changes.length, 2, "a refused token changes nothing");
});

test("messages that wait for the token are delivered after the application knows its other rights", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.constantFrom("a", "a b", "b"), fc.constant(null)), { maxLength: 20 }),
      async (steps) => {
        const { clock, guard, mint } = await setUp();
        const gate = holdAdmissions(guard);
        const connections = createTestConnections(t, gate.guard, clock);
        const log: string[] = [];
        const transport = new (class extends TestTransport {
          override deliver(message: unknown): void {
            log.push(`message under ${connection.auth?.scopes.join(" ")}: ${String(message)}`);
          }
        })();
        const connection = connections.expect(transport);
        connection.onChange(({ now }) => log.push(`rights ${now.scopes.join(" ")}`));
        const expected: string[] = [];
        let scope = "a";
        const present = async (next: string, isFirst: boolean) => {
          const done = connection.receive("token", tokenMessage(mint.token({ scope: next })));
          assert.equal(done, false);
          // The messages wait for the first token. Later they arrive under the rights of the token before.
          const arrivesUnder = isFirst ? next : scope;
          for (const message of ["1", "2"]) {
            if (connection.receive(message, message)) transport.deliver(message);
            expected.push(`message under ${arrivesUnder}: ${message}`);
          }
          await gate.releaseFirst();
          await clock.advance(2_000);
          if (next !== scope && !isFirst) expected.push(`rights ${next}`);
          scope = next;
        };
        await present(scope, true);
        for (const step of steps) {
          if (step !== null) await present(step, false);
          else if (connection.receive("now", "now")) {
            log.push(`message under ${connection.auth?.scopes.join(" ")}: now`);
            expected.push(`message under ${scope}: now`);
          }
        }
        assert.deepEqual(log, expected);
        await connections.close();
      },
    ),
    { numRuns: 25 },
  );
});

test("a listener that throws or rejects is reported, and hurts no connection and no other listener", async (t) => {
  const { connections, mint } = await setUp();
  const events: string[] = [];
  const listen = (event: unknown) => events.push((event as ConnectionEvent).event);
  connectionEvents.subscribe(listen);
  t.after(() => connectionEvents.unsubscribe(listen));
  const { connection, transport } = await openConnection(connections, mint.token({ scope: "a" }));
  const told: string[] = [];
  const remove = connection.onChange(() => told.push("removed"));
  connection.onChange(() => {
    throw new Error("the application fails");
  });
  connection.onChange(async () => await Promise.reject(new Error("it fails later")));
  connection.onChange(async () => await new Promise(() => {}));
  const last = () => {
    told.push("last");
    connection.onChange(() => told.push("added during a change"));
  };
  connection.onChange(last);
  remove();
  await connection.presentToken(mint.token({ scope: "b" }));
  await Promise.resolve();
  assert.deepEqual(told, ["last"]);
  assert.equal(events.filter((event) => event === "listener_failed").length, 2);
  assert.equal(connection.receive("still", "still"), true);
  assert.equal(transport.code, null);
  assert.throws(() => connection.onChange("x" as never), { code: "invalid_option" });
});

test("a listener is told when the authority answers with other scopes", async (t) => {
  const { clock, provider, guard: makeGuard, respondWith } = await makeFixture(t);
  const guard = makeGuard({ memory: { ttlMs: minute } });
  await guard.ready();
  const connections = createTestConnections(t, guard, clock, { recheckMs: minute });
  const { connection } = await openConnection(connections, provider.token({ scope: "chat admin" }));
  const told: string[] = [];
  connection.onChange(({ before, now }) => told.push(`${before.scopes.join()} > ${now.scopes.join()}`));
  respondWith({ active: true, scope: "chat" });
  await clock.advance(10 * minute);
  assert.deepEqual(told, ["chat,admin > chat"]);
});
