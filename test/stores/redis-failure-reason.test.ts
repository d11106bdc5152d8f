import assert from "node:assert/strict";
import { test } from "node:test";
import { readAddress } from "../../src/stores/redis/address.ts";
import { FailureReason } from "../../src/stores/redis/failure-reason.ts";

test("law 5: a reason holds no password of an address, neither encoded nor decoded", () => {
  const reason = new FailureReason([
    new URL("redis://app:pass%2Fword@one.example"),
    new URL("rediss://:other-password@two.example"),
    new URL("redis://three.example"),
  ]);
  reason.record(new Error("AUTH app pass/word failed, tried pass%2Fword and other-password"));
  assert.equal(reason.text, "AUTH app … failed, tried … and …");
  reason.record("cannot reach redis://app:unknown@four.example:6379");
  assert.equal(reason.text, "cannot reach redis://four.example:6379");
});

test("law 5: a reason holds no secret that was added later, and no longer any when a server has answered", () => {
  const reason = new FailureReason([]);
  assert.equal(reason.text, null);
  reason.addSecret("rotated");
  reason.addSecret("");
  reason.record(new Error("WRONGPASS rotated"));
  reason.record({ type: "MASTER_CHANGE" });
  assert.equal(reason.text, "WRONGPASS …");
  reason.clear();
  assert.equal(reason.text, null);
});

test("law 5: a reason holds no part of a secret that begins with another secret", () => {
  const reason = new FailureReason([]);
  for (const secret of ["first", "first-and-second"]) reason.addSecret(secret);
  reason.record(new Error("tried first-and-second after first"));
  assert.equal(reason.text, "tried … after …");
});

test("law 5: a user or a password that is not percent-encoded is refused without being shown", () => {
  for (const credentials of ["app:100%secret", "app%:secret"]) {
    const url = `redis://${credentials}@one.example`;
    for (const options of [
      { url },
      { cluster: ["redis://two.example", url] },
      { sentinel: { url, nodes: [url] } },
    ]) {
      assert.throws(
        () => readAddress(options),
        (error: Error) =>
          /percent-encoded/.test(error.message) && !/secret|%:/.test(error.message) && !("cause" in error),
      );
    }
  }
  assert.equal(readAddress({ url: "redis://app:100%25@one.example" }).kind, "single");
});
