import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { after, before, beforeEach, describe, test } from "node:test";
import { WebSocket } from "ws";
import { login } from "../support/auth-calls.ts";
import { freePort, until } from "../support/redis-servers.ts";
import { startService } from "../support/service-process.ts";
import { temporaryData } from "../server/temporary.ts";
import { policy, startGuardedSite, type GuardedSite } from "./guarded-site.ts";
import { isMissing, startProxy, type ProxyName } from "./proxies.ts";
import { sendLines, sendRaw, type RawResponse } from "./raw-client.ts";
import type { Seen } from "./application.ts";

const identity = ["subject", "scopes", "session", "issuer", "degraded"].map((name) => `x-auth-${name}`);

/** What every proxy has to keep, with its configuration in ops/. */
export function proxyContract(name: ProxyName): void {
  describe(name, { skip: isMissing(name) }, () => {
    let site: GuardedSite;
    before(async () => void (site = await startGuardedSite(name)));
    after(async () => await site.stop());
    beforeEach(() => {
      site.application.seen.length = 0;
    });

    const bearer = (claims: object = {}, mint = site.mint) =>
      `Authorization: Bearer ${mint.token({ sub: "alice", sid: "s1", scope: "orders:read a", ...claims })}`;
    const get = async (target: string, ...headers: string[]) =>
      await sendLines(site.port, `GET ${target} HTTP/1.1`, ["Host: api.example", ...headers]);
    /** The only request that the application saw. */
    const reached = (): Seen => {
      assert.equal(site.application.seen.length, 1);
      return site.application.seen[0]!;
    };
    const denied = (response: RawResponse | null, ...statuses: number[]) => {
      assert.ok(
        response === null || statuses.includes(response.status),
        `${response?.status}: ${response?.body}`,
      );
      assert.deepEqual(site.application.seen, []);
    };
    /** An identity header as the application reads it: none and an empty one are the same to it. */
    const told = (seen: Seen, header: string) => (seen.headers[header] ?? []).join("|");

    test("a good token passes, and the application is told whose it is", async () => {
      const response = await get("/orders/7?x=%2F..//;", bearer());
      assert.equal(response?.status, 200);
      const seen = reached();
      assert.equal(seen.url, "/orders/7?x=%2F..//;");
      assert.deepEqual(
        identity.map((header) => told(seen, header)),
        ["alice", "orders%3Aread a", "s1", "https%3A%2F%2Fid.example", ""],
      );
      assert.deepEqual(seen.headers["host"], ["api.example"]);
    });

    test("a body reaches the application whole, and the gateway gets none of it", async () => {
      const body = "x".repeat(200_000);
      const headers = [
        "Host: api.example",
        bearer({ scope: "orders:write" }),
        `Content-Length: ${body.length}`,
      ];
      const response = await sendLines(site.port, "POST /orders/7 HTTP/1.1", headers, body);
      assert.equal(response?.status, 200);
      assert.equal(reached().body.length, body.length);
      assert.equal(reached().method, "POST");
    });

    test("401 with a challenge for none, a malformed, an expired and a revoked token", async () => {
      const revoked = bearer({ jti: "revoked" });
      await site.revoke("revoked");
      for (const header of ["X-Nothing: here", "Authorization: Bearer abc", bearer({ exp: 1 }), revoked]) {
        await until(async () => (await get("/orders/7", header))?.status === 401, "401");
        const response = await get("/orders/7", header);
        assert.equal(response?.status, 401);
        assert.match(
          response.headers.get("www-authenticate")?.join(",") ?? "",
          /^Bearer realm="api"[^,]*(?:, error="invalid_token")?$/,
        );
      }
    });

    test("403 names the missing scope; what no rule matches is 403 too", async () => {
      const response = await get("/staff/rota", bearer());
      denied(response, 403);
      assert.match(response?.headers.get("www-authenticate")?.[0] ?? "", /insufficient_scope.*staff/);
      denied(await get("/elsewhere", bearer()), 403);
      denied(await sendLines(site.port, "DELETE /orders/7 HTTP/1.1", ["Host: api.example", bearer()]), 403);
    });

    test("where nobody is asked for a token everybody passes, and is nobody", async () => {
      const forged = identity.map((header) => `${header}: root`);
      for (const header of [bearer(), bearer({ exp: 1 }), "X-Nothing: here"]) {
        site.application.seen.length = 0;
        assert.equal((await get("/open/page", header, ...forged))?.status, 200);
        for (const each of identity) assert.equal(told(reached(), each), "", each);
      }
    });

    test("law 1: what could not be checked is 503 with Retry-After at the client, and no challenge", async () => {
      const response = await get("/orders/7", bearer({}, site.unreachable));
      denied(response, 503);
      assert.match(response?.headers.get("retry-after")?.join() ?? "", /^\d+$/);
      assert.equal(response?.headers.get("www-authenticate"), undefined);
    });

    test("what the application answers is its own affair", async () => {
      for (const status of [400, 401, 403, 404, 429, 500, 502, 503]) {
        const response = await get(`/orders/answers/${status}`, bearer());
        assert.equal(response?.status, status);
        assert.deepEqual(response.headers.get("www-authenticate"), ["Application"]);
        assert.equal(response.headers.get("retry-after"), undefined);
      }
    });

    test("a WebSocket opens with a good token and not without", async () => {
      const open = (headers: Record<string, string>) =>
        new WebSocket(`ws://127.0.0.1:${site.port}/chat`, { headers: { host: "api.example", ...headers } });
      const socket = open({ authorization: bearer().slice("Authorization: ".length) });
      await once(socket, "open");
      assert.equal(told(reached(), "x-auth-subject"), "alice");
      socket.send("hello");
      const [echoed] = (await once(socket, "message")) as [Buffer];
      assert.equal(echoed.toString(), "hello");
      socket.close();
      await once(socket, "close");
      site.application.seen.length = 0;
      const [error] = (await once(open({}), "error")) as [Error];
      assert.match(error.message, /401/);
      assert.deepEqual(site.application.seen, []);
    });

    /* Row 56: the gateway is not what it should be. */

    /** What a client is told when this answers in the gateway's place. */
    const insteadOfGateway = async (answer: (socket: Socket) => void, ...headers: string[]) => {
      const sockets = new Set<Socket>();
      const server = createServer((socket) => {
        sockets.add(socket);
        socket.on("error", () => {}).once("data", () => answer(socket));
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      const proxy = await startProxy(name, (server.address() as AddressInfo).port, site.application.port);
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

    test("fault 56: a gateway that is silent is given up, 503 with Retry-After", async () => {
      const response = await insteadOfGateway(() => {});
      denied(response, 503);
      assert.match(response?.headers.get("retry-after")?.join() ?? "", /^\d+$/);
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
      test(`fault 56: whoever answers ${JSON.stringify(answer)} in the gateway's place lets nothing pass`, async () => {
        denied(await insteadOfGateway((socket) => socket.end(answer)), 503);
      });
    }

    test("fault 56: whoever answers 200 in the gateway's place makes nobody somebody", async () => {
      const answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
      const response = await insteadOfGateway((socket) => socket.end(answer), "X-Auth-Subject: root");
      // nginx takes every 2xx for a yes.
      if (name !== "nginx") return denied(response, 503);
      for (const header of identity) assert.equal(told(reached(), header), "", header);
    });

    test("fault 56: a gateway that nobody listens for is 503 with Retry-After, anonymous routes too", async () => {
      const proxy = await startProxy(name, await freePort(), site.application.port);
      try {
        for (const path of ["/orders/7", "/open/page"]) {
          const response = await sendLines(proxy.port, `GET ${path} HTTP/1.1`, [
            "Host: api.example",
            bearer(),
          ]);
          denied(response, 503);
          assert.match(response?.headers.get("retry-after")?.join() ?? "", /^\d+$/);
        }
      } finally {
        await proxy.stop();
      }
    });

    test("fault 56: the service is killed under traffic: 503, and nobody passes who was not let in; then it is back", async (t) => {
      const data = await temporaryData();
      await writeFile(`${data}.policy`, policy);
      const port = await freePort();
      const settings = {
        HOLDFAST_PORT: String(port),
        HOLDFAST_POLICY: `${data}.policy`,
        HOLDFAST_TRUSTED_PROXIES: "127.0.0.1",
      };
      let service = await startService(data, settings);
      const proxy = await startProxy(name, port, site.application.port);
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
          if (last === 200) passed++;
          else assert.equal(last, 503);
        }
      };
      const clients = Promise.all(Array.from({ length: 5 }, client));
      await until(async () => site.application.seen.length > 20, "traffic");
      await service.stop("SIGKILL");
      await clients;
      assert.equal(site.application.seen.length, passed);
      for (const seen of site.application.seen) assert.notEqual(told(seen, "x-auth-subject"), "");
      service = await startService(data, settings);
      assert.equal((await chat())?.status, 200);
    });

    /* Row 55: what a client can write. */

    const spellings = [
      "X-Auth-Subject",
      "x-auth-subject",
      "X-AUTH-SUBJECT",
      "X_Auth_Subject",
      "X-Auth_Subject",
      "x_auth-subject",
    ];
    for (const spelling of spellings) {
      test(`fault 55: a client's own ${spelling} reaches nobody`, async () => {
        const response = await get("/orders/7", `${spelling}: root`, bearer(), `${spelling}: root`);
        if (response?.status !== 200) return denied(response, 400);
        assert.equal(told(reached(), "x-auth-subject"), "alice");
      });
    }

    test("fault 55: identity headers that Connection names are neither lost nor the client's", async () => {
      for (const value of [
        "close, X-Auth-Subject, X-Auth-Scopes",
        "X-Auth-Subject, close",
        "close, Authorization",
      ]) {
        site.application.seen.length = 0;
        const headers = [`Connection: ${value}`, "X-Auth-Subject: root", bearer()];
        const response = await get("/orders/7", ...headers);
        if (response?.status !== 200) denied(response, 400, 401);
        else assert.equal(told(reached(), "x-auth-subject"), "alice");
      }
    });

    test("fault 55: a WebSocket handshake that names identity headers in Connection loses none", async () => {
      const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
      const upgrade = [
        "Upgrade: websocket",
        "Connection: Upgrade, X-Auth-Subject",
        "Sec-WebSocket-Version: 13",
        key,
      ];
      const answer = sendLines(
        site.port,
        "GET /chat HTTP/1.1",
        ["Host: api.example", ...upgrade, bearer()],
        "\u0081\u0000",
      );
      assert.equal((await answer)?.status, 101);
      assert.equal(told(reached(), "x-auth-subject"), "alice");
    });

    test("fault 55: an upgrade to anything but WebSocket is not passed on", async () => {
      await get(
        "/chat",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        "Connection: close, Upgrade, HTTP2-Settings",
        bearer(),
      );
      assert.equal(reached().headers["upgrade"], undefined);
    });

    const elsewhere: [what: string, headers: string[]][] = [
      [
        "X-Original-URI",
        ["X-Original-URI: /open/page", "X-Original-URL: /open/page", "X-Rewrite-URL: /open/page"],
      ],
      ["X-Original-Method", ["X-Original-Method: GET", "X-Original-Host: open.example"]],
      ["X-Forwarded-Uri", ["X-Forwarded-Uri: /open/page", "X-Forwarded-Method: GET"]],
      ["X-Forwarded-Host", ["X-Forwarded-Host: open.example", "Forwarded: host=open.example"]],
      [
        "X_Forwarded_Host",
        ["X_Forwarded_Host: open.example", "X_Original_URI: /open/page", "X_Forwarded_Uri: /open/page"],
      ],
      [
        "X-HTTP-Method-Override",
        ["X-HTTP-Method-Override: GET", "X-HTTP-Method: GET", "X-Method-Override: GET"],
      ],
      ["X-Forwarded-For", ["X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1"]],
      [
        "Connection",
        ["Connection: close, X-Original-URI, X-Original-Method, X-Forwarded-Uri, X-Forwarded-Host"],
      ],
    ];
    for (const [what, headers] of elsewhere) {
      test(`fault 55: a client's ${what} does not make its request another`, async () => {
        const twice = [...headers, ...headers.filter((line) => !line.startsWith("Connection"))];
        denied(
          await sendLines(site.port, "POST /staff/rota HTTP/1.1", [
            "Host: api.example",
            bearer(),
            ...twice,
            "Content-Length: 0",
          ]),
          403,
        );
        const response = await get("/orders/7", bearer(), ...twice);
        if (response?.status !== 200) return denied(response, 400, 401, 403);
        const { headers: seen } = reached();
        for (const lost of [
          "x-original-uri",
          "x-original-url",
          "x-rewrite-url",
          "x-forwarded-uri",
          "x-http-method-override",
          "x-method-override",
        ]) {
          assert.equal(seen[lost], undefined, lost);
        }
        assert.ok(!String(seen["x-forwarded-host"]).includes("open"));
      });
    }

    const paths = [
      ["//staff/rota", "/open//staff/rota", "/open/../staff/rota", "/open/./page", "/open/%2e%2e/staff/rota"],
      [
        "/open/%2E%2E%2Fstaff/rota",
        "/open%2f..%2fstaff",
        "/open/..%5cstaff",
        "/open/..;/staff/rota",
        "/open;x/page",
      ],
      [
        "/open/%252e%252e/staff/rota",
        "/open/%00",
        "/open/%0d%0aX-Auth-Subject:%20root",
        "/open/%c0%ae%c0%ae/staff",
      ],
      ["/open/%zz", "/open/%", "/OPEN/page", "/Open", "/open/caf\u00e9", "/open/a\\b"],
    ].flat();
    for (const path of paths) {
      test(`fault 55: ${JSON.stringify(path)} is refused, with a token and without`, async () => {
        denied(await get(path), 400, 403);
        denied(await get(path, bearer({ scope: "staff orders:read" })), 400, 403);
      });
    }

    test("fault 55: a target with a host of its own is judged by the host that the application sees", async () => {
      for (const lines of [
        ["GET http://open.example/staff/rota HTTP/1.1", "Host: api.example"],
        ["GET http://api.example/staff/rota HTTP/1.1", "Host: open.example"],
        ["GET http://api.example/open/../staff/rota HTTP/1.1", "Host: api.example"],
      ]) {
        site.application.seen.length = 0;
        const response = await sendLines(site.port, lines[0] ?? "", lines.slice(1));
        if (response?.status !== 200) denied(response, 400, 401, 403, 421);
        else assert.deepEqual(reached().headers["host"], ["open.example"]);
      }
    });

    test("fault 55: two Host headers, or two tokens, are not one of them", async () => {
      denied(await get("/staff/rota", "Host: open.example"), 400, 403);
      denied(await get("/orders/7", "X-Nothing: here", bearer(), bearer({ sub: "bob" })), 400, 401);
      denied(await sendLines(site.port, "GET /staff/rota HTTP/1.0", []), 400, 401, 403);
    });

    test("fault 55: what a subject holds can neither end its header nor begin another", async () => {
      const subject = "a\r\nX-Auth-Scopes: staff\r\n\r\nGET /staff HTTP/1.1\u0000\u00e9{env.PATH}%{+X}";
      assert.equal((await get("/orders/7", bearer({ sub: subject })))?.status, 200);
      assert.equal(told(reached(), "x-auth-subject"), encodeURIComponent(subject));
      assert.equal(told(reached(), "x-auth-scopes"), "orders%3Aread a");
    });

    test("fault 55: a request hidden in another's body is not seen as one of its own", async () => {
      const hidden = "GET /staff/rota HTTP/1.1\r\nHost: api.example\r\nX-Auth-Subject: root\r\n\r\n";
      const framings = [
        ["Transfer-Encoding: chunked", `Content-Length: ${hidden.length + 5}`],
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Content-Length: 0", `Content-Length: ${hidden.length}`],
        ["Transfer-Encoding: xchunked", "Content-Length: 5"],
        ["Transfer-Encoding : chunked", "Content-Length: 5"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity", "Content-Length: 5"],
        ["Transfer_Encoding: chunked", "Content-Length: 5"],
        ["Content-Length: +5"],
        ["Content-Length: 5\r\n X-Folded: 1"],
      ];
      for (const framing of framings) {
        for (const scope of ["orders:write", ""]) {
          const head = [
            "POST /orders/7 HTTP/1.1",
            "Host: api.example",
            bearer({ scope }),
            "Connection: close",
            ...framing,
          ];
          await sendRaw(site.port, `${head.join("\r\n")}\r\n\r\n0\r\n\r\n${hidden}`);
        }
      }
      for (const seen of site.application.seen) {
        assert.equal(seen.url, "/orders/7");
        assert.equal(told(seen, "x-auth-subject"), "alice");
      }
    });

    test("fault 55: on one connection every request is judged by itself", async () => {
      const request = (path: string, ...more: string[]) =>
        `${[`GET ${path} HTTP/1.1`, "Host: api.example", ...more].join("\r\n")}\r\n\r\n`;
      const pipelined =
        request("/orders/7", bearer()) +
        request("/staff/rota", "X-Auth-Subject: root") +
        request("/open/page", "Connection: close");
      await sendRaw(site.port, pipelined);
      const seen = site.application.seen.map(({ url, ...rest }) => [
        url,
        told({ url, ...rest }, "x-auth-subject"),
      ]);
      assert.deepEqual(
        seen.filter(([url]) => url === "/staff/rota"),
        [],
      );
      for (const [url, subject] of seen) assert.equal(subject, url === "/orders/7" ? "alice" : "");
    });

    test("fault 55: headers without end are refused, a token of its full length is not", async () => {
      const long = site.mint.token({ sub: "alice", scope: "orders:read", pad: "x".repeat(11_000) });
      assert.ok(long.length > 14_000 && long.length < 16_384);
      assert.equal((await get("/orders/7", `Authorization: Bearer ${long}`))?.status, 200);
      site.application.seen.length = 0;
      const endless = `X-Long: ${"x".repeat(200_000)}`;
      denied(await get("/staff/rota", endless), 400, 431, 494, 503);
    });
  });
}
