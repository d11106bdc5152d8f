import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { createAdaptorServer } from "@hono/node-server";
import { sender, type Send } from "./http-client.ts";

/** Handles a web request. */
export type WebHandler = (request: Request) => Response | Promise<Response>;

/** Serves a handler of web requests over HTTP. Returns a function that sends requests to it. */
export async function serveWeb(t: TestContext, handler: WebHandler): Promise<Send> {
  const server = createAdaptorServer({ fetch: handler }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return sender((server.address() as AddressInfo).port);
}

/** Returns a function that calls a handler without a network. Like a server, it sends no body to HEAD. */
export function callWeb(handler: WebHandler): Send {
  return async ({ path = "/", headers = [], method = "GET", body, signal } = {}) => {
    const sent = new Headers();
    for (const [name, value] of headers) sent.append(name, value);
    const init = { method, headers: sent, body: body ?? null, ...(signal && { signal }) };
    const answer = await handler(new Request(new URL(path, "http://api"), init));
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      body: method === "HEAD" ? "" : await answer.text(),
    };
  };
}
