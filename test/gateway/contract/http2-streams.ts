import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { connectHttp2, openHttp2, type Field } from "../http2-client.ts";
import { api, authority, get } from "./http2-fields.ts";
import { receivedHeader, type ProxyClient } from "./proxy-client.ts";

const hidden = "GET /staff/rota HTTP/1.1\r\nHost: api.example\r\nX-Auth-Subject: root\r\n\r\n";

/** Tests of the data after a header block of HTTP/2, and of shared connections. The last test stops the gateway. */
export function http2StreamTests(visit: ProxyClient): void {
  const { receivedRequest, assertDenied, sendHttp2, bearerField } = visit;
  const seen = () => visit.site.application.requests;

  test("fault 55: refuses CONNECT of HTTP/2, and passes none of its data on", async () => {
    for (const fields of [
      [authority("open.example")],
      [authority("open.example:443"), bearerField({ scope: "staff" })],
    ]) {
      assertDenied(await sendHttp2({ fields: [[":method", "CONNECT"], ...fields], body: hidden }), 400, 405);
    }
  });

  test("fault 55: does not pass on the upgrade headers that HTTP/2 does not have", async () => {
    for (const protocol of ["websocket", "h2c"]) {
      seen().length = 0;
      const upgrade: Field[] = [
        ["upgrade", protocol],
        ["sec-websocket-version", "13"],
      ];
      const key: Field = ["sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="];
      const answer = await sendHttp2({
        fields: get("/chat", api, bearerField(), ...upgrade, key),
        body: hidden,
      });
      if (answer?.status !== 200) assertDenied(answer, 400);
      else
        assert.deepEqual(
          [receivedRequest().url, receivedHeader(receivedRequest(), "upgrade")],
          ["/chat", ""],
        );
    }
  });

  test("a WebSocket over HTTP/2 is judged as over HTTP/1.1, when the proxy offers it", async () => {
    const session = await connectHttp2(visit.site.port, visit.ca ?? "");
    await once(session, "remoteSettings");
    const isOffered = session.remoteSettings.enableConnectProtocol === true;
    session.destroy();
    assert.equal(isOffered, visit.proxy === "haproxy");
    const ask = async (protocol: string, path: string, ...more: Field[]) => {
      const fields = get(path, api, [":protocol", protocol], ["sec-websocket-version", "13"], ...more);
      const request = { fields: fields.with(0, [":method", "CONNECT"]), body: "" };
      const stream = await openHttp2(visit.site.port, visit.ca ?? "", request);
      const status = await new Promise<number>((resolve) => {
        stream
          .once("response", (headers) => resolve(headers[":status"] ?? 0))
          .once("close", () => resolve(0));
      });
      return { stream, status };
    };
    for (const [path, field] of [
      ["/chat", ["x-nothing", "here"]],
      ["/staff/chat", bearerField()],
    ] as const) {
      const { stream, status } = await ask("websocket", path, field);
      stream.destroy();
      assert.ok([0, 400, 401, 403, 405].includes(status), `${path}: ${status}`);
      assert.deepEqual(seen(), []);
    }
    for (const protocol of ["websocket", "h2c"]) {
      seen().length = 0;
      const { stream, status } = await ask(protocol, "/chat", bearerField());
      if (isOffered && protocol === "websocket") {
        assert.equal(status, 200);
        assert.equal(receivedHeader(receivedRequest(), "x-auth-subject"), "alice");
        stream.write("\u0081\u0085\0\0\0\0hello", "latin1");
        const [echoed] = (await once(stream, "data")) as [Buffer];
        assert.equal(echoed.toString("latin1"), "\u0081\u0005hello");
      } else {
        // Without a WebSocket it is an ordinary GET, which ends with its answer.
        if (stream.writable) stream.end(hidden);
        if (!stream.closed) await new Promise((resolve) => stream.once("close", resolve).resume());
        for (const { url, headers } of seen())
          assert.deepEqual([url, headers["upgrade"]], ["/chat", undefined]);
      }
      stream.destroy();
    }
  });

  test("fault 55: a request hidden in the data of another is not a request of its own", async () => {
    const framings: Field[][] = [
      [],
      [["transfer-encoding", "chunked"]],
      [["content-length", "0"]],
      [["content-length", "5"]],
      [["content-length", "5000"]],
      [
        ["content-length", "5"],
        ["content-length", String(5 + hidden.length)],
      ],
      [["content-length", "+5"]],
    ];
    for (const framing of framings) {
      for (const method of ["GET", "POST"]) {
        const fields = get("/orders/7", api, bearerField({ scope: "orders:read orders:write" }), ...framing);
        await sendHttp2({ fields: fields.with(0, [":method", method]), body: `0\r\n\r\n${hidden}` });
      }
    }
    assert.notEqual(seen().length, 0);
    for (const request of seen()) {
      assert.deepEqual([request.url, receivedHeader(request, "x-auth-subject")], ["/orders/7", "alice"]);
    }
  });

  test("fault 55: trailers do not become headers", async () => {
    const trailers: Field[][] = [
      [
        ["x-auth-subject", "root"],
        ["host", "open.example"],
      ],
      [
        ["content-length", "0"],
        ["transfer-encoding", "chunked"],
      ],
      [[":path", "/staff/rota"]],
      [["x", `y\r\n\r\n${hidden}`]],
    ];
    for (const each of trailers) {
      const fields = get("/orders/7", api, bearerField({ scope: "orders:write" }));
      await sendHttp2({ fields: fields.with(0, [":method", "POST"]), body: "body", trailers: each });
    }
    // nginx closes the connection.
    assert.equal(seen().length > 0, visit.proxy !== "nginx");
    for (const request of seen()) {
      assert.deepEqual([request.url, receivedHeader(request, "x-auth-subject")], ["/orders/7", "alice"]);
      assert.deepEqual(request.headers["host"], ["api.example"]);
    }
  });

  test("fault 55: every request of a connection is judged separately", async (t) => {
    const session = await connectHttp2(visit.site.port, visit.ca ?? "");
    t.after(() => session.destroy());
    const ask = async (host: string, path: string, subject: string | null) => {
      const authorization = subject === null ? {} : { authorization: bearerField({ sub: subject })[1] };
      const stream = session.request({ ":authority": host, ":path": path, ...authorization });
      const [headers] = (await once(stream, "response")) as [{ ":status": number }];
      stream.resume();
      return headers[":status"];
    };
    const asked = Array.from({ length: 10 }, async (_, i) => [
      await ask("api.example", `/orders/of/${i}`, `user${i}`),
      await ask("api.example", "/staff/of", `user${i}`),
      await ask("api.example", "/orders/of", null),
      await ask("open.example", "/staff/of", null),
    ]);
    for (const statuses of await Promise.all(asked)) assert.deepEqual(statuses, [200, 403, 401, 200]);
    // Interrupted requests of other tests may still arrive.
    const ours = seen().filter(({ url }) => url.includes("/of"));
    assert.equal(ours.length, 20);
    for (const request of ours) {
      const order = /^\/orders\/of\/(\d)$/.exec(request.url)?.[1];
      assert.equal(receivedHeader(request, "x-auth-subject"), order === undefined ? "" : `user${order}`);
      assert.deepEqual(request.headers["host"], [order === undefined ? "open.example" : "api.example"]);
    }
  });

  test("fault 56: without the gateway every route answers 503 with Retry-After, anonymous ones included", async () => {
    await visit.site.stopGateway();
    const ask = async (path: string) => {
      const answer = await sendHttp2({ fields: get(path, api, bearerField()) });
      assert.equal(answer?.status, 503);
      assert.match(answer.headers.get("retry-after")?.join() ?? "", /^\d+$/);
    };
    await Promise.all([ask("/orders/late"), ask("/open/late")]);
    assert.deepEqual(
      seen().filter(({ url }) => url.includes("/late")),
      [],
    );
  });
}
