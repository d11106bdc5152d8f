import assert from "node:assert/strict";
import { test } from "node:test";
import { SpanKind, SpanStatusCode, trace, type Tracer } from "@opentelemetry/api";
import { Registry } from "prom-client";
import { jwks, type Fetch } from "../../src/index.ts";
import { createTracing } from "../../src/metrics/opentelemetry.ts";
import { registerMetrics } from "../../src/metrics/prometheus.ts";
import { makeFixture } from "../guard/degraded/fixture.ts";
import { inRequest, registerSdk, spanNamed, takeSpans, traceRequest } from "./tracing-fixture.ts";

registerSdk();

test("a cold decision is a span of the request, and its question a client span within it", async (t) => {
  const { guard: open, provider } = await makeFixture(t);
  const guard = open({ tracing: createTracing() });
  await guard.ready();
  takeSpans();
  const token = provider.token({ sub: "ada" });
  const spans = await traceRequest(async () => await guard.validate(token));
  const request = spanNamed(spans, "request");
  const decision = spanNamed(spans, "holdfast.authorize");
  const question = spanNamed(spans, "holdfast.authority.ask");
  assert.equal(decision.parentSpanContext?.spanId, request.spanContext().spanId);
  assert.equal(question.parentSpanContext?.spanId, decision.spanContext().spanId);
  assert.deepEqual([decision.kind, question.kind], [SpanKind.INTERNAL, SpanKind.CLIENT]);
  const facts = { "holdfast.guard": t.name, "holdfast.issuer": provider.issuer };
  assert.deepEqual(decision.attributes, {
    ...facts,
    "holdfast.status": "valid",
    "holdfast.from": "verification",
    "holdfast.basis": "authority",
    "holdfast.degraded": false,
  });
  const { hostname, origin, pathname } = new URL(provider.url("introspection"));
  assert.deepEqual(question.attributes, {
    ...facts,
    "http.request.method": "POST",
    "url.full": origin + pathname,
    "server.address": hostname,
    "server.port": 443,
    "http.response.status_code": 200,
    "holdfast.outcome": "yes",
  });
  const written = JSON.stringify(spans.map(({ attributes, links, events }) => [attributes, links, events]));
  for (const part of [...token.split("."), "ada"]) assert.ok(!written.includes(part));
});

test("a decision from memory has no span, and describes itself on the span of the request", async (t) => {
  const { guard: open, provider } = await makeFixture(t);
  const guard = open({ tracing: createTracing() });
  const token = provider.token({ sub: "ada" });
  await guard.validate(token);
  takeSpans();
  const spans = await traceRequest(async () => await guard.authorize(token, { scopes: ["missing"] }));
  assert.deepEqual(
    spans.map(({ name }) => name),
    ["request"],
  );
  assert.deepEqual(spans[0]?.attributes, {
    "holdfast.guard": t.name,
    "holdfast.issuer": provider.issuer,
    "holdfast.status": "forbidden",
    "holdfast.from": "memory",
  });
  const [refused] = await traceRequest(async () => await guard.validate("x".repeat(20_000)));
  assert.equal(refused?.attributes["holdfast.detail"], "too_large");
});

test("a question that fails fails its span and not that of the request", async (t) => {
  const { guard: open, provider } = await makeFixture(t);
  const guard = open({ tracing: createTracing(), degraded: "local" });
  await guard.ready();
  takeSpans();
  provider.fault("introspection", { status: 502 });
  const spans = await traceRequest(async () => await guard.validate(provider.token({ sub: "ada" })));
  const question = spanNamed(spans, "holdfast.authority.ask");
  assert.equal(question.status.code, SpanStatusCode.ERROR);
  assert.equal(question.attributes["error.type"], "failed");
  assert.equal(question.attributes["http.response.status_code"], 502);
  assert.equal(question.attributes["http.request.resend_count"], 1);
  const decision = spanNamed(spans, "holdfast.authorize");
  assert.equal(decision.attributes["holdfast.degraded"], true);
  assert.equal(decision.status.code, SpanStatusCode.UNSET);
});

test("law 7: callers who join link to the span of the first caller, and share one question", async (t) => {
  const { guard: open, provider } = await makeFixture(t);
  const guard = open({ tracing: createTracing() });
  await guard.ready();
  takeSpans();
  const token = provider.token({ sub: "ada" });
  const names = ["first", "second", "third"];
  await Promise.all(names.map((name) => inRequest(name, async () => await guard.validate(token))));
  const spans = takeSpans();
  const question = spanNamed(spans, "holdfast.authority.ask");
  const decisionOf = (name: string) => {
    const { spanId } = spanNamed(spans, name).spanContext();
    const found = spans.find(({ parentSpanContext }) => parentSpanContext?.spanId === spanId);
    assert.ok(found?.name === "holdfast.authorize");
    return found;
  };
  const first = decisionOf("first").spanContext();
  assert.equal(question.parentSpanContext?.spanId, first.spanId);
  for (const name of ["second", "third"]) {
    const { links, attributes } = decisionOf(name);
    assert.deepEqual(
      links.map((link) => link.context.spanId),
      [first.spanId],
    );
    assert.equal(attributes["holdfast.from"], "joined");
  }
  assert.deepEqual(decisionOf("first").links, []);
});

test("a tracer without links for open spans changes no decision", async (t) => {
  const { guard: open, provider } = await makeFixture(t);
  const tracer = trace.getTracer("old");
  const old: Tracer = {
    startSpan: (...start) => Object.assign(tracer.startSpan(...start), { addLink: undefined }),
    startActiveSpan: tracer.startActiveSpan.bind(tracer),
  };
  const guard = open({ tracing: createTracing({ tracer: old }) });
  await guard.ready();
  takeSpans();
  const token = provider.token({ sub: "ada" });
  const verdicts = await Promise.all([guard.validate(token), guard.validate(token)]);
  assert.deepEqual(
    verdicts.map(({ status }) => status),
    ["valid", "valid"],
  );
  takeSpans();
});

test("a key fetch that a token waits for is its child, and another waiting token links to it", async (t) => {
  const { guard: open, provider, clock } = await makeFixture(t);
  const keys = jwks(provider.url("jwks"), { fetch: provider.fetch });
  const guard = open({ tracing: createTracing(), keys, authority: undefined } as object);
  await guard.ready();
  const firstFetch = spanNamed(takeSpans(), "holdfast.keys.fetch");
  assert.equal(firstFetch.parentSpanContext, undefined);
  assert.equal(firstFetch.attributes["http.response.status_code"], 200);
  await clock.advance(60_000);
  await provider.rotate();
  takeSpans();
  const [ada, bob] = [provider.token({ sub: "ada" }), provider.token({ sub: "bob" })];
  await Promise.all([
    inRequest("ada", async () => assert.equal((await guard.validate(ada)).status, "valid")),
    inRequest("bob", async () => assert.equal((await guard.validate(bob)).status, "valid")),
  ]);
  const spans = takeSpans();
  const fetched = spanNamed(spans, "holdfast.keys.fetch");
  const decisions = spans.filter(({ name }) => name === "holdfast.authorize");
  const parentId = fetched.parentSpanContext?.spanId;
  const parent = decisions.find((one) => one.spanContext().spanId === parentId);
  assert.ok(parent !== undefined && decisions.length === 2);
  const other = decisions.find((one) => one !== parent);
  assert.deepEqual(parent.links, []);
  assert.deepEqual(
    other?.links.map((link) => link.context.spanId),
    [fetched.spanContext().spanId],
  );
});

test("work in the background belongs to no request, although a request set its timer", async (t) => {
  const { guard: open, provider, clock } = await makeFixture(t);
  let guard: ReturnType<typeof open> | undefined;
  await inRequest("start", async () => {
    guard = open({
      tracing: createTracing(),
      keys: jwks(provider.url("jwks"), { fetch: provider.fetch }),
    });
    await guard.ready();
    await guard.validate(provider.token({ sub: "ada" }));
  });
  takeSpans();
  await clock.advance(3 * 60_000);
  await guard?.validate(provider.token({ sub: "bob" }));
  await clock.advance(3 * 60_000);
  const spans = takeSpans();
  const background = spans.filter(({ name }) => /ask|fetch/.test(name));
  assert.ok(background.some(({ name }) => name === "holdfast.keys.fetch"));
  const roots = background.filter(({ parentSpanContext }) => parentSpanContext === undefined);
  assert.ok(roots.length >= background.length - 1);
});

test("`traceparent` is sent to the authority and the key endpoint only with `propagate`", async (t) => {
  const { provider, guard: open } = await makeFixture(t);
  const sent: [url: string, traceparent: string | null][] = [];
  const fetch: Fetch = async (url, init) => {
    sent.push([url, new Headers(init?.headers).get("traceparent")]);
    return await provider.fetch(url, init);
  };
  for (const propagate of [false, true]) {
    sent.length = 0;
    const guard = open(
      { tracing: createTracing({ propagate }), keys: jwks(provider.url("jwks"), { fetch }) },
      { fetch },
    );
    await guard.ready();
    const spans = await traceRequest(async () => await guard.validate(provider.token({ sub: "ada" })));
    const question = spanNamed(
      spans.filter(({ parentSpanContext }) => parentSpanContext !== undefined),
      "holdfast.authority.ask",
    );
    const { traceId, spanId } = question.spanContext();
    const headers = sent.map(([, header]) => header);
    assert.equal(headers.includes(`00-${traceId}-${spanId}-01`), propagate);
    assert.equal(
      headers.every((header) => header === null),
      !propagate,
    );
    assert.ok(sent.some(([url]) => url === provider.url("jwks")));
  }
});

test("a histogram is told each observation within the span that it belongs to", async (t) => {
  const { guard: open, provider } = await makeFixture(t);
  const guard = open({ tracing: createTracing() });
  await guard.ready();
  const observed: (string | undefined)[] = [];
  for (const family of guard.metrics()) {
    if (family.kind !== "histogram" || !family.name.includes("decision")) continue;
    for (const { observe } of family.samples) {
      observe(() => observed.push(trace.getActiveSpan()?.spanContext().spanId));
    }
  }
  takeSpans();
  const spans = await traceRequest(async () => await guard.validate(provider.token({ sub: "ada" })));
  assert.deepEqual(observed, [spanNamed(spans, "holdfast.authorize").spanContext().spanId]);
});

test("a registry in the form of OpenMetrics has the trace of a decision as an exemplar", async (t) => {
  const { guard: open, provider } = await makeFixture(t);
  const guard = open({ tracing: createTracing() });
  await guard.validate(provider.token({ sub: "before" }));
  takeSpans();
  const spans = await traceRequest(async () => await guard.validate(provider.token({ sub: "ada" })));
  const { traceId } = spanNamed(spans, "holdfast.authorize").spanContext();
  const registry = new Registry();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  registerMetrics(registry, { guards: [guard] });
  const line = new RegExp(
    `^holdfast_guard_decision_duration_seconds_bucket\\{.*from="verification",le=.*\\} 2 # \\{trace_id="${traceId}"\\} \\S+ \\d+(?:\\.\\d+)?$`,
    "m",
  );
  assert.match(await registry.metrics(), line);
  const plain = new Registry();
  registerMetrics(plain, { guards: [guard] });
  assert.ok(!(await plain.metrics()).includes("trace_id"));
});

test("wrong options are refused by name", async (t) => {
  const { guard: open } = await makeFixture(t);
  assert.throws(() => createTracing({ propagated: true } as object), /createTracing.*propagate/);
  assert.throws(() => createTracing({ tracer: {} as never }), /tracer.*startSpan/);
  assert.throws(() => open({ tracing: {} as never }), /tracing.*span/);
});
