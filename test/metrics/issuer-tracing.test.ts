import assert from "node:assert/strict";
import { test } from "node:test";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { createTracing } from "../../src/metrics/opentelemetry.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { createFixture, logIn } from "../issuer/fixture.ts";
import { failStore } from "../issuer/stores.ts";
import { registerSdk, spanNamed, takeSpans, traceRequest } from "./tracing-fixture.ts";

registerSdk();

test("logins and refreshes are spans of the request, with a client span for each store command", async () => {
  const { issuer } = createFixture({ tracing: createTracing() });
  await issuer.ready();
  takeSpans();
  let token = "";
  const login = await traceRequest(async () => {
    token = (await logIn(issuer)).refresh_token;
  });
  const span = spanNamed(login, "holdfast.login");
  assert.deepEqual(span.attributes, { "holdfast.issuer": issuer.name, "holdfast.outcome": "ok" });
  assert.equal(span.parentSpanContext?.spanId, spanNamed(login, "request").spanContext().spanId);
  const refresh = await traceRequest(async () => await issuer.refresh(token));
  const parent = spanNamed(refresh, "holdfast.refresh");
  assert.equal(parent.attributes["holdfast.outcome"], "rotated");
  const command = spanNamed(refresh, "holdfast.store.sessions.rotate");
  assert.equal(command.kind, SpanKind.CLIENT);
  assert.equal(command.parentSpanContext?.spanId, parent.spanContext().spanId);
  assert.equal(command.attributes["db.operation.name"], "sessions.rotate");
  const written = JSON.stringify(
    [...login, ...refresh].map(({ attributes, events }) => [attributes, events]),
  );
  for (const secret of [token, "ann"]) assert.ok(!written.includes(secret));
  await issuer.close();
});

test("law 1: a store that fails fails the spans of its command and of the refresh, and a refused token none", async () => {
  const clock = new FakeClock();
  let failing = false;
  const store = failStore(
    memoryStore({ clock }),
    (name) => failing && name === "sessions.rotate" && "before",
  );
  const { issuer } = createFixture({ tracing: createTracing(), clock, store });
  const { refresh_token: token } = await logIn(issuer);
  takeSpans();
  failing = true;
  const failed = await traceRequest(async () => await issuer.refresh(token));
  const types = { "holdfast.refresh": "store_unavailable", "holdfast.store.sessions.rotate": "Error" };
  for (const [name, type] of Object.entries(types)) {
    const { status, attributes } = spanNamed(failed, name);
    assert.equal(status.code, SpanStatusCode.ERROR);
    assert.equal(attributes["error.type"], type);
  }
  assert.equal(spanNamed(failed, "holdfast.refresh").attributes["holdfast.outcome"], "unavailable");
  const refused = spanNamed(
    await traceRequest(async () => await issuer.refresh("no token")),
    "holdfast.refresh",
  );
  assert.equal(refused.status.code, SpanStatusCode.UNSET);
  assert.equal(refused.attributes["holdfast.outcome"], "invalid_grant");
  await issuer.close();
});

test("store commands outside of a request have no span", async () => {
  const { issuer } = createFixture({ tracing: createTracing() });
  await issuer.ready();
  await issuer.keys.rotate();
  assert.deepEqual(
    takeSpans().map(({ name }) => name),
    [],
  );
  await issuer.close();
});
