import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { startEndpoint } from "./fixture.ts";

const type = "text/event-stream";

/** The forms in which an application can set the head of a response. */
const forms: Record<string, (res: ServerResponse, id: string) => void> = {
  "an object": (res, id) => res.writeHead(200, { "Content-Type": type, "Mcp-Session-Id": id }),
  "a reason and an object": (res, id) =>
    res.writeHead(200, "Fine", { "Content-Type": type, "Mcp-Session-Id": id }),
  "no reason and an object": (res, id) =>
    res.writeHead(200, undefined, { "Content-Type": type, "Mcp-Session-Id": id }),
  "names and values in turn": (res, id) => res.writeHead(200, ["Content-Type", type, "Mcp-Session-Id", id]),
  "lists of one value": (res, id) =>
    res.setHeader("Content-Type", [type] as never).setHeader("Mcp-Session-Id", [id]),
};

for (const [name, setHead] of Object.entries(forms)) {
  test(`an event stream is supervised and its session is bound when the head is set by ${name}`, async (t) => {
    const { url, provider, connections } = await startEndpoint(t, ({ middleware }) => (req, res) => {
      void middleware(req, res, () => {
        setHead(res, "session-1");
        res.write("data: 1\n\n");
      });
    });
    const headers = { authorization: `Bearer ${provider.token()}` };
    const response = await fetch(url, { headers });
    assert.equal(response.headers.get("content-type"), type);
    assert.match(response.headers.get("mcp-session-id") ?? "", /^session-1\.[\w-]{22}$/);
    assert.equal(connections.status().open, 1);
    await response.body?.cancel();
  });
}
