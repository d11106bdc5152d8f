import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { chainDigest, type Revocation, type RevocationEntry } from "../../../src/core/revocation.ts";
import { RevocationView } from "../../../src/guard/revocations/view.ts";
import type { RevocationSnapshot } from "../../../src/stores/store.ts";

const issuer = "https://id.example";
const epoch = "e";
const start: RevocationSnapshot = { position: { epoch, seq: 0, chain: "" }, entries: [] };

function logOf(revocations: readonly Revocation[]): RevocationEntry[] {
  let chain = "";
  return revocations.map((revocation, index) => {
    const seq = index + 1;
    chain = chainDigest(chain, seq, seq, revocation);
    return { seq, chain, at: seq, revocation };
  });
}

function positionOf(log: readonly RevocationEntry[]): RevocationSnapshot["position"] {
  const { seq, chain } = log.at(-1) ?? { seq: 0, chain: "" };
  return { epoch, seq, chain };
}

function revoked(view: RevocationView, { kind, id }: Revocation): boolean {
  if (kind === "token") return view.isRevoked({ jti: id }, undefined);
  if (kind === "session") return view.isRevoked({ sid: id }, undefined);
  if (kind === "key") return view.isRevoked({}, id);
  return view.isRevoked({ sub: id, iat: 5 }, undefined);
}

const session = (id: string): Revocation => ({ kind: "session", issuer, id, until: 1_000 });

const revocation = fc
  .tuple(fc.constantFrom("token", "session", "key", "subject"), fc.nat(5))
  .map(([kind, n]): Revocation =>
    kind === "subject"
      ? { kind, issuer, id: `i${n}`, before: 5, until: 1_000 + n }
      : { kind: kind as "token", issuer, id: `i${n}`, until: 1_000 + n },
  );
const history = fc.array(revocation, { minLength: 1, maxLength: 20 });

test("fault 10: entries in any order, also repeated, never undo a revocation, and the tail completes the view", () => {
  fc.assert(
    fc.property(history, fc.array(fc.nat(19), { maxLength: 40 }), (revocations, deliveries) => {
      const log = logOf(revocations);
      const view = new RevocationView(issuer, 1_000);
      view.load(start);
      const delivered: Revocation[] = [];
      for (const index of deliveries) {
        const entry = log[index % log.length] as RevocationEntry;
        view.append([entry]);
        delivered.push(entry.revocation);
        for (const one of delivered) assert.ok(revoked(view, one));
      }
      const from = view.position?.seq ?? 0;
      assert.ok(view.append(log.slice(from)));
      assert.deepEqual(view.position, positionOf(log));
      for (const one of revocations) assert.ok(revoked(view, one));
    }),
  );
});

test("fault 7: a gap at any place is detected, and the entries after it take effect", () => {
  fc.assert(
    fc.property(history, fc.nat(), (revocations, n) => {
      const log = logOf(revocations);
      const missing = n % log.length;
      const after = log.slice(missing + 1);
      fc.pre(after.length > 0);
      const view = new RevocationView(issuer, 1_000);
      view.load(start);
      assert.ok(missing === 0 || view.append(log.slice(0, missing)));
      assert.equal(view.append(after), false);
      assert.equal(view.position?.seq, missing);
      for (const { revocation: one } of after) assert.ok(revoked(view, one));
    }),
  );
});

test("fault 5: another entry at a known sequence number is detected by its digest", () => {
  const view = new RevocationView(issuer, 1_000);
  view.load(start);
  assert.ok(view.append(logOf([session("a"), session("b")])));
  const other = logOf([session("a"), session("x"), session("y")]);
  assert.equal(view.append(other.slice(1, 2)), false);
  assert.equal(view.append(other.slice(2)), false);
  assert.ok(revoked(view, session("b")));
});

test("fault 5: a snapshot of a log that lost its last writes removes no known revocation", () => {
  const view = new RevocationView(issuer, 1_000);
  view.load(start);
  view.append(logOf([session("a"), session("b")]));
  view.load(start);
  assert.equal(view.position?.seq, 0);
  assert.ok(revoked(view, session("a")) && revoked(view, session("b")));
});

test("fault 11: a malformed entry leaves the view incomplete until a well-formed snapshot", () => {
  const huge = { ...session("x".repeat(2_000)) };
  const bad: unknown[] = [
    { ...session("a"), kind: "planet" },
    { ...session("a"), id: 7 },
    { ...session("a"), until: "soon" },
    { kind: "subject", issuer, id: "a", until: 1_000 },
    huge,
    null,
    undefined,
  ];
  for (const one of bad) {
    const view = new RevocationView(issuer, 1_000);
    view.load(start);
    const [good, strange] = logOf([session("a"), session("b")]) as [RevocationEntry, RevocationEntry];
    assert.equal(view.append([good, { ...strange, revocation: one as Revocation }]), false);
    assert.equal(view.position, null);
    view.load({
      position: positionOf([good]),
      entries: [{ ...good, revocation: one as Revocation }, strange],
    });
    assert.equal(view.position, null);
    assert.ok(revoked(view, session("a")) && revoked(view, session("b")));
    view.load({ position: positionOf([good]), entries: [good] });
    assert.deepEqual(view.position, positionOf([good]));
  }
});

test("law 3: a full view evicts nothing and is incomplete", () => {
  const view = new RevocationView(issuer, 2);
  view.load(start);
  assert.equal(view.append(logOf([session("a"), session("b"), session("c")])), false);
  assert.equal(view.position, null);
  assert.equal(view.size, 2);
  assert.ok(revoked(view, session("a")) && revoked(view, session("b")));
});

test("an entry is dropped when its last token has expired, not before", () => {
  const view = new RevocationView(issuer, 10);
  view.load(start);
  const longer = { ...session("a"), until: 2_000 };
  view.append(
    logOf([
      longer,
      session("a"),
      session("b"),
      { kind: "subject", issuer, id: "s", before: 5, until: 1_000 },
    ]),
  );
  view.prune(1_000);
  assert.equal(view.size, 3);
  view.prune(1_001);
  assert.equal(view.size, 1);
  assert.ok(revoked(view, session("a")));
});

test("entries of another issuer advance the position and revoke nothing", () => {
  const view = new RevocationView(issuer, 10);
  view.load(start);
  assert.ok(view.append(logOf([{ ...session("a"), issuer: "https://other.example" }, session("b")])));
  assert.equal(view.position?.seq, 2);
  assert.ok(!revoked(view, session("a")) && revoked(view, session("b")));
});

test("the later of two cut-offs for a subject counts, in either order", () => {
  const cutOff = (before: number): Revocation => ({ kind: "subject", issuer, id: "s", before, until: 1_000 });
  for (const order of [
    [3, 7],
    [7, 3],
  ]) {
    const view = new RevocationView(issuer, 10);
    view.load(start);
    view.append(logOf(order.map(cutOff)));
    assert.ok(view.isRevoked({ sub: "s", iat: 7 }, undefined));
    assert.ok(!view.isRevoked({ sub: "s", iat: 8 }, undefined));
  }
});
