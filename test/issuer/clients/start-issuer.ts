import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { getRequestListener } from "@hono/node-server";
import { systemClock } from "../../../src/core/clock.ts";
import type { Issuer, IssuerOptions } from "../../../src/issuer/types.ts";
import type { Store } from "../../../src/stores/store.ts";
import { createFixture } from "../fixture.ts";

export const CLIENT_ID = "billing & co";
export const CLIENT_SECRET = "the secret: of 50% & more+";
const clients: NonNullable<IssuerOptions["clients"]> = [
  { id: "orders", secret: "the secret of orders" },
  { id: CLIENT_ID, secret: CLIENT_SECRET, scopes: ["invoices:read", "invoices:write"] },
];

export interface ListeningIssuer {
  readonly url: string;
  readonly issuer: Issuer;
  readonly store: Store;
}

/** Lets a test delay or replace a request before the issuer receives it, or its response before the client does. */
export type RequestInterceptor = (request: Request, answer: () => Promise<Response>) => Promise<Response>;

/** Starts an issuer on a free port of 127.0.0.1, for clients that use HTTP. */
export async function startIssuer(
  t: TestContext,
  intercept: RequestInterceptor = async (_, answer) => await answer(),
): Promise<ListeningIssuer> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { issuer, store } = createFixture({ clients, url, clock: systemClock });
  const listener = getRequestListener(
    async (request) => await intercept(request, async () => await issuer.fetch(request)),
    { overrideGlobalObjects: false },
  );
  server.on("request", (req, res) => void listener(req, res));
  t.after(async () => {
    await issuer.close();
    await store.close();
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  return { url, issuer, store };
}
