import assert from "node:assert/strict";
import { test } from "node:test";
import { drawPlan } from "../../sim/plan.ts";
import { Recorder } from "../../sim/recorder.ts";
import { SocketHost, type SocketHostParts } from "../../sim/sockets/socket-host.ts";
import { setUp } from "../connections/fixture.ts";

test("a process that has crashed records no open connections, because nobody can close them", async () => {
  const { guard, clock } = await setUp({});
  const recorded: string[] = [];
  const recorder = new Recorder({ record: (kind: string) => void recorded.push(kind) });
  const context = { clock, random: () => 0.5, isAlive: true };
  const parts = { guard, recorder, context, plan: drawPlan(1, 1).sockets, facts: () => ({}) };
  const host = new SocketHost(parts as unknown as SocketHostParts);
  host.recordStatus();
  assert.deepEqual(recorded, ["sockets"]);
  context.isAlive = false;
  host.recordStatus();
  assert.deepEqual(recorded, ["sockets"]);
});
