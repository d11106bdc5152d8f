import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { freePort } from "../support/free-port.ts";
import { startApplication, type Application } from "./application.ts";
import { isMissing, startProxy, type Proxy } from "./proxies.ts";
import { sendLines, type RawResponse } from "./raw-client.ts";

/*
 * The endpoints of the service itself behind Caddy and HAProxy. For nginx see nginx-inheritance.test.ts.
 */

const variables = { caddy: "import holdfast_endpoints", haproxy: "yes" } as const;

/** Starts a server that writes the latest value of `answer` to every client, and keeps the heads of requests. */
async function startRawServer(answer: () => string) {
  const sockets = new Set<Socket>();
  const seen: string[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", (data) => {
      seen.push(data.toString("latin1"));
      socket.end(answer());
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

for (const name of ["caddy", "haproxy"] as const) {
  describe(`the endpoints of the service behind ${name}`, { skip: isMissing(name) }, () => {
    let application: Application;
    let proxy: Proxy;
    let proxyAlone: Proxy;
    let proxyWithout: Proxy;
    let service: Awaited<ReturnType<typeof startRawServer>>;
    let answer = "";
    before(async () => {
      const ENDPOINTS = variables[name];
      application = await startApplication();
      service = await startRawServer(() => answer);
      proxy = await startProxy(name, service.port, application.port, undefined, { ENDPOINTS });
      proxyAlone = await startProxy(name, await freePort(), application.port, undefined, { ENDPOINTS });
      proxyWithout = await startProxy(name, service.port, application.port);
    });
    after(async () => {
      await Promise.all([proxy.stop(), proxyAlone.stop(), proxyWithout.stop(), application.stop()]);
      service.stop();
    });
    const get = async ({ port }: Proxy, path: string) =>
      await sendLines(port, `GET ${path} HTTP/1.1`, ["Host: api.example"]);
    const assertDown = (response: RawResponse | null) => {
      assert.equal(response?.status, 503);
      assert.deepEqual(response.headers.get("retry-after"), ["1"]);
      assert.deepEqual(response.headers.get("cache-control"), ["no-store"]);
      assert.deepEqual(response.headers.get("content-type"), ["application/json"]);
      assert.equal((JSON.parse(response.body) as { error: string }).error, "temporarily_unavailable");
    };

    test("law 1: while the service is down, its endpoints answer 503 in JSON, with Retry-After", async () => {
      for (const path of ["/auth/refresh", "/oauth/token", "/.well-known/jwks.json"]) {
        assertDown(await get(proxyAlone, path));
      }
    });

    test("law 1: a service that breaks off or answers nonsense is the same 503", async () => {
      for (const broken of ["", "SSH-2.0-OpenSSH\r\n"]) {
        answer = broken;
        assertDown(await get(proxy, "/auth/refresh"));
      }
    });

    test("an answer of the service passes unchanged, whatever its status", async () => {
      for (const status of [200, 401, 409, 502, 503]) {
        answer = `HTTP/1.1 ${status} X\r\nRetry-After: 7\r\nContent-Type: text/own\r\nContent-Length: 2\r\n\r\nOK`;
        const response = await get(proxy, "/auth/refresh");
        assert.equal(response?.status, status);
        assert.deepEqual(response.headers.get("retry-after"), ["7"]);
        assert.deepEqual(response.headers.get("content-type"), ["text/own"]);
        assert.equal(response.body, "OK");
        assert.match(service.seen.at(-1) ?? "", /^GET \/auth\/refresh HTTP\/1\.1\r\n/);
      }
    });

    test("fault 78: no client chooses the address that the service sees", async () => {
      answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
      const headers = ["Host: api.example", "X-Forwarded-For: 192.0.2.7", "Forwarded: for=192.0.2.8"];
      await sendLines(proxy.port, "POST /auth/login HTTP/1.1", [...headers, "Content-Length: 2"], "{}");
      const [head = ""] = service.seen.slice(-1);
      assert.match(head, /^POST \/auth\/login/);
      // `Forwarded` does not count beside this header.
      assert.deepEqual(head.match(/^x-forwarded-for: .*$/gim), [
        `${name === "caddy" ? "X-Forwarded-For" : "x-forwarded-for"}: 127.0.0.1`,
      ]);
    });

    test("fault 55: no path beside the endpoints passes without the service's decision", async () => {
      answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
      const paths = ["/orders/7", "/auth", "/authors/1", "/auth/../orders/7", "/auth/%2e%2e/orders/7"];
      const steps = ["..", ".%2E", "%2e.", "..%2f", "..\\", "..%5c", "x/../.."];
      for (const path of [...paths, ...steps.map((step) => `/auth/${step}/health/ready`)]) {
        const asked = service.seen.length;
        const { status = 0 } = (await get(proxy, path)) ?? {};
        // A proxy may refuse a malformed path itself.
        assert.ok(status === 403 || status === 400, `${path} gets ${status}`);
        for (const head of service.seen.slice(asked))
          assert.ok(head.startsWith(`GET /verify/${name} `), head);
        assert.ok(status === 400 || service.seen.length > asked, path);
      }
      assert.deepEqual(application.requests, []);
    });

    test("without the variable, the paths of the endpoints are guarded like all others", async () => {
      answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
      assert.equal((await get(proxyWithout, "/auth/refresh"))?.status, 403);
      assert.ok(service.seen.at(-1)?.startsWith(`GET /verify/${name} HTTP/1.1`));
      assert.deepEqual(application.requests, []);
    });
  });
}
