import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { createIssuer } from "../../src/issuer/create-issuer.ts";
import { toRequestListener } from "../../src/server/http/request-listener.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { Certificate } from "../gateway/certificate.ts";

/** The switch by which Chromium finds every host of these tests on this machine. */
export const resolveHere = "--host-resolver-rules=MAP *.test 127.0.0.1";

export interface CookieSite {
  /** The issuer. */
  readonly id: string;
  /** The page whose origin is listed. */
  readonly app: string;
  /** Pages of a sibling subdomain and of another site. */
  readonly sibling: string;
  readonly foreign: string;
}

/** Serves an issuer and blank pages under several names, with TLS, because browsers keep `Secure` cookies only there. */
export async function startCookieSite(t: TestContext): Promise<CookieSite> {
  const certificate = new Certificate();
  const pem = readFileSync(certificate.file);
  const server = createServer({ cert: pem, key: pem });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const origin = (host: string) => `https://${host}:${port}`;
  const site = {
    id: origin("id.site.test"),
    app: origin("app.site.test"),
    sibling: origin("sibling.site.test"),
    foreign: origin("evil.test"),
  };
  const issuer = createIssuer({
    url: site.id,
    audience: "https://api.site.test",
    store: memoryStore(),
    secret: "a secret of these tests with more than 32 bytes",
    authenticate: ({ username }) => ({ subject: String(username), scopes: [] }),
    cookies: { origins: [site.app] },
  });
  const serveIssuer = toRequestListener(async (request) => await issuer.fetch(request));
  server.on("request", (req, res) => {
    if (req.headers.host === new URL(site.id).host) return serveIssuer(req, res);
    return res.setHeader("Content-Type", "text/html").end('<!doctype html><link rel="icon" href="data:,">');
  });
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await issuer.close();
    certificate.remove();
  });
  return site;
}
