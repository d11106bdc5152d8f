import { once } from "node:events";
import { request, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";

/** A request. Its headers are lines, so that one name can occur twice. */
export interface TestRequest {
  method?: string;
  /** Default `/`. */
  path?: string;
  body?: string;
  headers?: readonly (readonly [name: string, value: string])[];
  signal?: AbortSignal;
}

export interface TestResponse {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export type Send = (sent?: TestRequest) => Promise<TestResponse>;

/** Returns a function that sends HTTP requests, each over its own connection. */
export function sender(port: number): Send {
  return async ({ method = "GET", path = "/", headers = [], body, signal } = {}) => {
    // Node sends every line of an array. From an object it sends one line for each name.
    const lines = [["Host", "api"], ["Connection", "close"], ...headers].flat();
    const options = { port, host: "127.0.0.1", method, path, headers: lines, ...(signal && { signal }) };
    const sent = request(options).end(body);
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    return { status: answer.statusCode, headers: answer.headers, body: await text(answer) };
  };
}

/** Waits until the server listens, and closes it with the test. Returns a function that sends requests to it. */
export async function serving(t: TestContext, server: Server): Promise<Send> {
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return sender((server.address() as AddressInfo).port);
}

export const bearer = (token: string): readonly [string, string] => ["Authorization", `Bearer ${token}`];
