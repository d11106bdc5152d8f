import assert from "node:assert/strict";
import { test } from "node:test";
import { forcedParts, forceParts } from "../../sim/forced-parts.ts";
import { redisFaults } from "../../sim/stores/redis-faults.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { drawPlan } from "../../sim/plan.ts";

const seeds = Array.from({ length: 20 }, (_, index) => index + 1);
/** A run with older services has no clock steps. */
const others = forcedParts.filter((part) => part !== "calm" && !part.startsWith("clock"));

test("a run has the parts that are forced, whatever its seed draws, and keeps the faults that remain", () => {
  for (const seed of seeds) {
    const drawn = drawPlan(seed, 20);
    const plan = forceParts(drawn, others);
    const count = (kind: string) => plan.faults.filter((fault) => fault.kind === kind).length;
    assert.ok(plan.guards.length >= 2 && plan.guards.every(({ hasAuthority }) => hasAuthority));
    assert.ok(plan.guards.every(({ readsStore }) => readsStore));
    assert.deepEqual([plan.sockets.clients, plan.people, plan.rotatesOften], [3, 3, true]);
    assert.deepEqual(plan.olderServices, plan.services);
    for (const kind of ["authority fails", "cut off", "store hangs"]) assert.ok(count(kind) > 0, kind);
    assert.deepEqual([count("clock step"), count("lossy network")], [0, 0]);
    const numbers = plan.faults.map(({ number }) => number);
    assert.equal(new Set(numbers).size, numbers.length);
    const kept = drawn.faults.filter(({ kind }) => kind !== "clock step" && kind !== "lossy network");
    assert.deepEqual(plan.faults.slice(0, kept.length), kept);
  }
});

test("a calm run has the faults of its other forced parts alone", () => {
  for (const seed of seeds) {
    const { faults, network } = forceParts(drawPlan(seed, 20), ["calm", "authority"]);
    assert.deepEqual(new Set(faults.map(({ kind }) => kind)), new Set(["authority fails"]));
    assert.deepEqual(network, { drop: 0, duplicate: 0, slow: 0 });
  }
});

test("a run with clock steps has no older services", () => {
  for (const seed of seeds) {
    const { faults, olderServices } = forceParts(drawPlan(seed, 20), ["clock steps"]);
    assert.ok(faults.some(({ kind }) => kind === "clock step"));
    assert.deepEqual(olderServices, []);
  }
});

test("a plan without forced parts stays as it was drawn", () => {
  for (const seed of seeds) assert.deepEqual(forceParts(drawPlan(seed, 10), []), drawPlan(seed, 10));
});

test("a run whose clocks are set back has steps of guards alone, by a minute or an hour", () => {
  for (const seed of seeds) {
    const { faults, guards, services } = forceParts(drawPlan(seed, 20), ["calm", "clocks set back"]);
    assert.ok(faults.length > 0);
    for (const { kind, target, strength } of faults) {
      assert.equal(kind, "clock step");
      assert.ok(guards.some(({ name }) => name === target) && !services.includes(target ?? ""));
      assert.ok(strength >= 1 / 6 && strength < 4 / 6);
    }
  }
});

test("a run with evictions has losses that are evictions, and guards that restart", () => {
  for (const seed of seeds) {
    const { faults, guards, services } = forceParts(drawPlan(seed, 20), ["calm", "evictions"]);
    const losses = faults.filter(({ kind }) => kind === "store loses writes");
    assert.ok(losses.length > 0 && losses.every(({ strength }) => strength < 0.25));
    const restarts = faults.filter((fault) => !losses.includes(fault));
    assert.ok(restarts.every(({ kind, target }) => kind === "crash" && !services.includes(target ?? "")));
    assert.ok(guards.every(({ hasSnapshots }) => !hasSnapshots));
  }
});

test("a run with resharding has faults in which the slots of a cluster move", () => {
  const names = redisFaults(
    { nodes: [] } as unknown as Parameters<typeof redisFaults>[0],
    "cluster",
    new FakeClock(),
  ).flatMap(({ name, losesAcknowledged }) => (losesAcknowledged === true ? [] : [name]));
  const seen = new Set<string>();
  for (const seed of seeds) {
    const { faults } = forceParts(drawPlan(seed, 20), ["calm", "resharding"]);
    for (const { strength } of faults) seen.add(names[Math.floor(strength * names.length)] ?? "");
  }
  assert.deepEqual(
    seen,
    new Set(["a slot moves", "the server that imports a slot fails", "a server fails while a slot moves"]),
  );
});
