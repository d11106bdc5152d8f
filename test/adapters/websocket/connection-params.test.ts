import assert from "node:assert/strict";
import { test } from "node:test";
import { readConnectionParams, readTokenMessage } from "../../../src/adapters/websocket/connection-params.ts";

const isInit = ({ type }: Readonly<Record<string, unknown>>) => type === "connection_init";

function read(message: object): string | null {
  return readTokenMessage(
    JSON.stringify(message),
    "connection_init",
    "payload",
    isInit,
    readConnectionParams,
  );
}

test("a token is read from the message of its kind only", () => {
  const payload = { token: "the.token" };
  assert.equal(read({ type: "connection_init", payload }), "the.token");
  assert.equal(read({ type: "subscribe", id: "connection_init", payload }), null);
  assert.equal(read({ type: "ping", payload: { ...payload, note: "connection_init" } }), null);
});

test("parameters that are no object hold no token", () => {
  for (const payload of [undefined, null, "token", 1, ["token"]]) {
    assert.equal(read({ type: "connection_init", payload }), null);
  }
});
