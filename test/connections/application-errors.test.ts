import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createTestConnections, holdAdmissions, openConnection, TestTransport, setUp } from "./fixture.ts";

/** A transport whose listed methods throw, as a broken library or application would. */
class ThrowingTransport extends TestTransport {
  readonly throwsFrom = new Set<string>();

  override send(text: string): void {
    this.#throw("send");
    super.send(text);
  }
  override close(code: number, reason: string): void {
    super.close(code, reason);
    this.#throw("close");
  }
  override deliver(message: unknown): void {
    super.deliver(message);
    this.#throw("deliver");
  }
  override opened(): void {
    super.opened();
    this.#throw("opened");
  }
  override pause(): void {
    this.#throw("pause");
  }
  override resume(): void {
    this.#throw("resume");
  }
  #throw(name: string): void {
    if (this.throwsFrom.has(name)) throw new Error(`${name} failed`);
  }
}

function throwingTransport(...names: string[]): ThrowingTransport {
  const transport = new ThrowingTransport();
  for (const name of names) transport.throwsFrom.add(name);
  return transport;
}

/** Collects the messages of uncaught exceptions, which would otherwise end the process. */
function uncaught(t: TestContext): string[] {
  const messages: string[] = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => messages.push(error.message));
  t.after(() => {
    process.removeAllListeners("uncaughtException");
    for (const listener of listeners) process.on("uncaughtException", listener);
  });
  return messages;
}

test("law 3: a connection closes and is removed when its library fails to send, pause or resume", async (t) => {
  const { clock, guard, mint } = await setUp();
  const gate = holdAdmissions(guard);
  const connections = createTestConnections(t, gate.guard, clock);
  for (const name of ["send", "pause", "resume"]) {
    const transport = throwingTransport(name, "close");
    const connection = connections.expect(transport);
    const presenting = connection.presentToken(mint.token());
    connection.receive("m", "m");
    void gate.releaseFirst();
    await presenting;
    assert.deepEqual([transport.closings, transport.code, connection.state], [1, 4453, "closed"], name);
    assert.deepEqual([connections.status().open, connections.status().pending], [0, 0], name);
  }
});

test("an error while one connection closes does not keep the others open", async () => {
  const { connections, mint } = await setUp();
  const bad = await openConnection(connections, mint.token(), {}, throwingTransport("close"));
  const good = await openConnection(connections, mint.token());
  await connections.close();
  assert.deepEqual([bad.transport.closings, good.transport.closings], [1, 1]);
});

test("an error of the application is an uncaught exception, and its connection stays open", async (t) => {
  const messages = uncaught(t);
  const { clock, guard, mint } = await setUp();
  const gate = holdAdmissions(guard);
  const connections = createTestConnections(t, gate.guard, clock);
  const transport = throwingTransport("opened", "deliver");
  const connection = connections.expect(transport);
  const presenting = connection.presentToken(mint.token());
  connection.receive("a", "a");
  connection.receive("b", "b");
  void gate.releaseFirst();
  await presenting;
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(messages, ["opened failed", "deliver failed", "deliver failed"]);
  assert.deepEqual([transport.delivered, connection.state, transport.closed], [["a", "b"], "open", null]);
  assert.equal(connection.receive("c", "c"), true);
});

test("an application that closes the connection in its open handler gets no further messages", async () => {
  const { connections, mint } = await setUp();
  const transport = new TestTransport();
  const connection = connections.expect(transport);
  transport.opened = () => connection.closed();
  await connection.presentToken(mint.token());
  assert.deepEqual([transport.sent, transport.closed, connection.state], [[], null, "closed"]);
  assert.equal(connections.status().open, 0);
});

test("a guard that throws counts as a guard that gives no answer", async (t) => {
  const { clock, guard, mint } = await setUp();
  const broken = { ...guard, admit: async () => await Promise.reject(new Error("broken")) };
  const connections = createTestConnections(t, broken, clock);
  const transport = new TestTransport();
  await connections.expect(transport).presentToken(mint.token());
  assert.equal(transport.code, 4453);
  await assert.rejects(connections.admit(mint.token()), /broken/);
  assert.equal(connections.status().pending, 0);
});

test("law 3: an admission that throws closes its own connection, and the sweep still reaches the others", async (t) => {
  const { clock, guard, mint } = await setUp();
  const broken = new Set<string>();
  const admit: typeof guard.admit = async (token, rules) => {
    const admission = await guard.admit(token, rules);
    if (admission.status !== "admitted") return admission;
    const current = () => {
      if (broken.has(token)) throw new Error("broken");
      return admission.current();
    };
    return { status: "admitted", hasAuthority: false, current, recheck: async () => current() };
  };
  const connections = createTestConnections(t, { ...guard, admit }, clock);
  const [bad, good] = [mint.token(), mint.token()];
  const first = await openConnection(connections, bad);
  const second = await openConnection(connections, good);
  broken.add(bad);
  await clock.advance(1_000);
  assert.deepEqual(
    [first.transport.code, first.connection.state, second.transport.code],
    [4453, "closed", null],
  );
  await clock.advance(700_000);
  assert.equal(second.transport.code, 4401);
});
