import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { test } from "node:test";
import { temporaryDataDir } from "../../server/temporary-settings.ts";
import { login } from "../../support/auth-calls.ts";
import { freePort } from "../../support/free-port.ts";
import { waitUntil } from "../../support/deadline.ts";
import { startService } from "../../support/service-process.ts";
import { policy } from "../guarded-site.ts";
import { startProxy } from "../proxies.ts";
import { sendLines, type RawResponse } from "../raw-client.ts";
import { identityHeaders, receivedHeader, type ProxyClient } from "./proxy-client.ts";

/** Tests with a gateway that is silent, replaced, unreachable or killed. */
export function outageTests(visit: ProxyClient): void {
  const { bearer, receivedRequest, assertDenied } = visit;

  /** Returns the answer to a client while `answer` runs in the gateway's place. */
  const replaceGateway = async (answer: (socket: Socket) => void, ...headers: string[]) => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {}).once("data", () => answer(socket));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const proxy = await startProxy(
      visit.proxy,
      (server.address() as AddressInfo).port,
      visit.site.application.port,
    );
    try {
      return await sendLines(proxy.port, "GET /orders/7 HTTP/1.1", [
        "Host: api.example",
        bearer(),
        ...headers,
      ]);
    } finally {
      await proxy.stop();
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  };

  /** Asserts the answer of a proxy whose service gives none. A client of an API reads it as one of the service. */
  const assertUndecided = (response: RawResponse | null) => {
    assertDenied(response, 503);
    assert.ok(response !== null);
    assert.deepEqual(response.headers.get("retry-after"), ["1"]);
    assert.deepEqual(response.headers.get("cache-control"), ["no-store"]);
    assert.deepEqual(response.headers.get("content-type"), ["application/json"]);
    assert.equal((JSON.parse(response.body) as { error: string }).error, "temporarily_unavailable");
  };

  test("fault 56: a silent gateway leads to 503 in JSON, with Retry-After", async () => {
    assertUndecided(await replaceGateway(() => {}));
  });

  const odd = [
    "",
    "HTTP/1.1 200 OK\r\nX-Auth-Subject: alice\r\nX-Auth-Deg",
    "SSH-2.0-OpenSSH\r\n",
    "HTTP/1.1 302 Found\r\nLocation: /open\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
  ];
  for (const answer of odd) {
    test(`fault 56: a server in the gateway's place that answers ${JSON.stringify(answer)} lets no request pass`, async () => {
      assertUndecided(await replaceGateway((socket) => socket.end(answer)));
    });
  }

  test("fault 56: a server in the gateway's place that answers 200 gives no client an identity", async () => {
    const answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    assertDenied(await replaceGateway((socket) => socket.end(answer), "X-Auth-Subject: root"), 400, 503);
    const response = await replaceGateway((socket) => socket.end(answer));
    // nginx accepts every 2xx.
    if (visit.proxy !== "nginx") return assertDenied(response, 503);
    for (const header of identityHeaders) assert.equal(receivedHeader(receivedRequest(), header), "", header);
  });

  test("fault 56: an unreachable gateway leads to 503 in JSON, with Retry-After, on anonymous routes, too", async () => {
    const proxy = await startProxy(visit.proxy, await freePort(), visit.site.application.port);
    try {
      for (const path of ["/orders/7", "/open/page"]) {
        const response = await sendLines(proxy.port, `GET ${path} HTTP/1.1`, ["Host: api.example", bearer()]);
        assertUndecided(response);
      }
    } finally {
      await proxy.stop();
    }
  });

  test("fault 56: a service killed under traffic leads to 503, no unauthorized request passes, and it recovers", async (t) => {
    const data = await temporaryDataDir();
    await writeFile(`${data}.policy`, policy);
    const port = await freePort();
    const settings = {
      HOLDFAST_PORT: String(port),
      HOLDFAST_POLICY: `${data}.policy`,
      HOLDFAST_TRUSTED_PROXIES: "127.0.0.1",
    };
    let service = await startService(data, settings);
    const proxy = await startProxy(visit.proxy, port, visit.site.application.port);
    t.after(async () => {
      await service.stop();
      await proxy.stop();
    });
    const { access_token: token } = await login(service.url);
    const chat = async () =>
      await sendLines(proxy.port, "GET /chat HTTP/1.1", [
        "Host: api.example",
        `Authorization: Bearer ${token}`,
      ]);
    let passed = 0;
    const client = async () => {
      for (let last = 200; last === 200;) {
        last = (await chat())?.status ?? 0;
        if (last === 200) assert.ok(++passed < 5000, "it goes on without the service");
        else assert.equal(last, 503);
      }
    };
    const clients = Promise.all(Array.from({ length: 5 }, client));
    await waitUntil(async () => visit.site.application.requests.length > 20, "traffic");
    await service.stop("SIGKILL");
    await clients;
    assert.equal(visit.site.application.requests.length, passed);
    for (const seen of visit.site.application.requests)
      assert.notEqual(receivedHeader(seen, "x-auth-subject"), "");
    service = await startService(data, settings);
    assert.equal((await chat())?.status, 200);
  });
}
