import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { chainDigest, type Revocation } from "../../../src/core/revocation.ts";
import { CUTOFF_CLAIM } from "../../../src/core/subject-cutoff.ts";
import { fromRow, toRow } from "../../../src/guard/revocations/snapshot-format.ts";
import { RevocationView } from "../../../src/guard/revocations/view.ts";

const issuer = "https://id.example.com";

function cutOff(before: number, number?: number): Revocation & { kind: "subject" } {
  const numbered = number === undefined ? {} : { number };
  return { kind: "subject", issuer, id: "ann", before, until: 1e12, ...numbered };
}

function viewOf(...revocations: Revocation[]): RevocationView {
  const view = new RevocationView(issuer, 10);
  for (const revocation of revocations) view.add(revocation, 0);
  return view;
}

const token = (iat: number, number?: unknown) => ({ sub: "ann", iat, [CUTOFF_CLAIM]: number });

test("law 3: a numbered cut-off spares a token of a later login, and revokes an earlier one whatever its `iat`", () => {
  const view = viewOf(cutOff(100, 7));
  assert.equal(view.isRevoked(token(100, 7), undefined), false);
  assert.equal(view.isRevoked(token(99, 8), undefined), false);
  assert.equal(view.isRevoked(token(3700, 6), undefined), true, "the clock of its issuer was ahead");
});

test("law 3: a cut-off or a token without a usable number is compared by `iat`", () => {
  for (const number of [undefined, "7", -1, 7.5, null, Infinity]) {
    assert.equal(viewOf(cutOff(100, 7)).isRevoked(token(100, number), undefined), true);
    assert.equal(viewOf(cutOff(100, 7)).isRevoked(token(101, number), undefined), false);
  }
  assert.equal(viewOf(cutOff(100)).isRevoked(token(100, 9), undefined), true);
  assert.equal(viewOf(cutOff(100)).isRevoked(token(101, 0), undefined), false);
  assert.equal(viewOf(cutOff(100), cutOff(90, 7)).isRevoked(token(100, 7), undefined), true);
});

test("law 3: a malformed number leaves the view incomplete", () => {
  const view = new RevocationView(issuer, 10);
  assert.equal(view.add({ ...cutOff(1), number: -1 }, 0), false);
});

test("law 3: a view never spares a token that one of its cut-offs revokes, in any order and after a restart", () => {
  const cutoffs = fc.array(
    fc.tuple(fc.nat(5), fc.option(fc.nat(5), { nil: undefined })).map(([at, number]) => cutOff(at, number)),
    { minLength: 1, maxLength: 6 },
  );
  fc.assert(
    fc.property(cutoffs, fc.nat(6), fc.option(fc.nat(6), { nil: undefined }), (all, iat, number) => {
      const mustRevoke = all.some((one) =>
        one.number !== undefined && number !== undefined ? number < one.number : iat <= one.before,
      );
      const view = viewOf(...all);
      const restarted = viewOf(...[...view.revocations()].map((one) => fromRow(toRow(one), issuer)));
      for (const one of [view, restarted]) {
        if (mustRevoke) assert.ok(one.isRevoked(token(iat, number), undefined));
      }
      assert.equal(
        restarted.isRevoked(token(iat, number), undefined),
        view.isRevoked(token(iat, number), undefined),
      );
    }),
  );
});

test("fault 5: a guard of an older version computes the same digest for a numbered entry", () => {
  assert.equal(chainDigest("c", 1, 2, cutOff(3, 4)), chainDigest("c", 1, 2, cutOff(3)));
});
