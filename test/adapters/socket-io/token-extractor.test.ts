import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import type { Socket } from "socket.io";
import { protect } from "../../../src/adapters/socket-io.ts";
import { connectOutcome, transports, setUp } from "./fixture.ts";

for (const transport of transports) {
  const headers = (extraHeaders: Record<string, string>) => ({ transports: [transport], extraHeaders });

  test(`${transport}: reads the Authorization header when the namespace has no token of its own`, async (t) => {
    const { io, client, connections, provider } = await setUp(t);
    protect(connections, {}, io);
    const bearer = headers({ Authorization: `Bearer ${provider.token()}` });
    assert.equal(await connectOutcome(client({}, bearer)), null);
    assert.equal((await connectOutcome(client({ token: "nonsense" }, bearer)))?.code, 4501);
    const basic = headers({ Authorization: "Basic dXNlcjpwYXNz" });
    assert.equal((await connectOutcome(client({}, basic)))?.code, 4408);
    assert.equal(await connectOutcome(client({ token: provider.token() }, basic)), null);
  });

  test(`${transport}: fault 53: accepts a cookie only from pages of the listed origins`, async (t) => {
    const { io, client, connections, provider } = await setUp(t);
    const origins = ["https://app.example"];
    protect(connections, { tokenFrom: { cookie: { name: "__Host-token", origins } } }, io);
    const token = provider.token();
    const Cookie = `theme=dark; __Host-token=${token}`;
    assert.equal(await connectOutcome(client({}, headers({ Cookie, Origin: "https://app.example" }))), null);
    for (const Origin of ["https://evil.example", "https://app.example.evil.example", "null", undefined]) {
      const from = headers({ Cookie, ...(Origin !== undefined && { Origin }) });
      assert.deepEqual(await connectOutcome(client({}, from)), { error: "invalid_token", code: 4501 });
      assert.equal(await connectOutcome(client({ token }, from)), null);
    }
  });

  test(`${transport}: law 5: refuses a token in the URL unless it is enabled, and strips it`, async (t) => {
    const { io, client, connections, provider } = await setUp(t);
    protect(connections, {}, io);
    protect(connections, { tokenFrom: { query: { name: "ticket" } } }, io.of("/listed"));
    const token = provider.token();
    const query = { access_token: token };
    assert.equal((await connectOutcome(client({}, { transports: [transport], query })))?.code, 4501);
    const joined = once(io.of("/listed"), "connection") as Promise<[Socket]>;
    const listed = client({}, { transports: [transport], query: { ticket: token, page: "1" } }, "/listed");
    assert.equal(await connectOutcome(listed), null);
    const [{ handshake, request }] = await joined;
    const seen = JSON.stringify([handshake, request.url, request.headers]);
    assert.equal(seen.includes(token), false);
    assert.equal(handshake.query["page"], "1");
  });
}
