import assert from "node:assert/strict";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { systemClock } from "../../../src/core/clock.ts";
import { listen } from "../../../src/server/http/listen.ts";
import { RequestMeasure, type MeasuredRequest } from "../../../src/server/http/request-measure.ts";
import { RequestMetrics } from "../../../src/server/http/request-metrics.ts";
import { createLogger } from "../../../src/server/logs.ts";
import { startService } from "../../../src/server/serve.ts";
import { login, post } from "../../support/auth-calls.ts";
import { waitUntil, within } from "../../support/deadline.ts";
import { observationCount } from "../../support/metric-values.ts";
import { temporarySettings } from "../temporary-settings.ts";

const NAME = "http_server_request_duration_seconds";

function measured(
  method: string,
  route: string | null,
  status: number | null,
): Omit<MeasuredRequest, "listener" | "peer"> {
  return { request: { method } as IncomingMessage, route, status, durationMs: 2 };
}

test("requests are counted by method, route and status, and an aborted request has no status", () => {
  const metrics = new RequestMetrics();
  metrics.record(measured("GET", "/a/:id", 200));
  metrics.record(measured("GET", "/a/:id", 200));
  metrics.record(measured("GET", "/a/:id", null));
  metrics.record(measured("PROPFIND", "/a/:id", 405));
  const route = { http_route: "/a/:id", url_scheme: "http" };
  const get = { ...route, http_request_method: "GET" };
  assert.equal(observationCount(metrics, NAME, get), 3);
  assert.equal(observationCount(metrics, NAME, { ...get, http_response_status_code: "200" }), 2);
  assert.equal(observationCount(metrics, NAME, { ...route, http_request_method: "_OTHER" }), 1);
});

test("law 6: strangers cause a bounded number of series, and every request is counted", () => {
  const metrics = new RequestMetrics();
  for (let i = 0; i < 10_000; i++) {
    metrics.record(measured(`M${i}`, null, 404));
    metrics.record(measured(`M${i}`, "/known", 200));
    metrics.record(measured("POST", `/route/${i % 40}`, 400 + (i % 30)));
  }
  const [family] = metrics.metrics();
  assert.ok(family !== undefined && family.samples.length <= 40 + 30 + 2);
  assert.equal(observationCount(metrics, NAME, {}), 30_000);
  assert.equal(observationCount(metrics, NAME, { http_response_status_code: "200" }), 10_000);
});

test("`/metrics` of the service has the times of its requests on both listeners", async (t) => {
  const running = await startService(await temporarySettings(), createLogger("silent"));
  t.after(running.stop);
  const tokens = await login(running.publicAddress);
  await post(running.publicAddress, "/auth/refresh", { refresh_token: tokens.refresh_token });
  await post(running.publicAddress, "/auth/refresh", { refresh_token: "x" });
  await fetch(`${running.publicAddress}/verify/orders/4711`);
  await fetch(`${running.publicAddress}/.env`);
  await fetch(`${running.adminAddress}/health`);
  const count = (method: string, rest: string) =>
    `${NAME}_count{url_scheme="http",http_request_method="${method}",${rest}"} 1\n`;
  const wanted = [
    count("POST", 'http_route="/auth/login",http_response_status_code="200'),
    count("POST", 'http_route="/auth/refresh",http_response_status_code="200'),
    count("POST", 'http_route="/auth/refresh",http_response_status_code="400'),
    count("GET", 'http_route="/verify/*",http_response_status_code="401'),
    count("_OTHER", 'http_response_status_code="404'),
    count("GET", 'http_route="/health",http_response_status_code="200'),
  ];
  // A client can have its answer before the service has noted the end of it.
  await waitUntil(async () => {
    const text = await (await fetch(`${running.adminAddress}/metrics`)).text();
    return wanted.every((line) => text.includes(line));
  }, "the requests are counted");
});

test("a request whose client goes away before the answer is measured without a status", async (t) => {
  const requests = new RequestMeasure(systemClock);
  const gone = Promise.withResolvers<MeasuredRequest>();
  requests.subscribe(gone.resolve);
  const listener = await listen("127.0.0.1", 0, "HOLDFAST_PORT", {
    measure: requests.begin.bind(requests, "public"),
  });
  t.after(listener.stop);
  const socket = connect(listener.port, "127.0.0.1");
  listener.mount(() => socket.destroy(), ["/slow"]);
  socket.write("GET /slow?token=secret HTTP/1.1\r\nHost: a\r\n\r\n");
  const { status, route, durationMs } = await within(gone.promise, 20_000, "the end of the request");
  assert.deepEqual([status, route], [null, "/slow"]);
  assert.ok(durationMs >= 0);
});

test("a preflight, a second Host line and the answers of a start are measured", async (t) => {
  const requests = new RequestMeasure(systemClock);
  const statuses: (number | null)[] = [];
  requests.subscribe(({ status }) => statuses.push(status));
  const listener = await listen("127.0.0.1", 0, "HOLDFAST_PORT", {
    measure: requests.begin.bind(requests, "public"),
    cors: { origins: new Set(["https://app.example.com"]), cookieOrigins: new Set() },
  });
  t.after(listener.stop);
  await fetch(listener.address);
  const headers = { origin: "https://app.example.com", "access-control-request-method": "POST" };
  await fetch(listener.address, { method: "OPTIONS", headers });
  const twoHosts = ["Host", "a", "Host", "b"] as unknown as Record<string, string>;
  const [refused] = (await once(
    request(listener.address, { headers: twoHosts, agent: false }).end(),
    "response",
  )) as [IncomingMessage];
  refused.resume();
  await waitUntil(async () => statuses.length === 3, "all requests are measured");
  assert.deepEqual(statuses, [503, 204, 400]);
});
