import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { createGuard, httpRevocations, introspection } from "holdfast";
import { createConnections } from "holdfast/connections";
import { protect } from "holdfast/ws";
import { WebSocketServer } from "ws";
import { startProvider, TOKEN_MS } from "./provider.ts";
import { Room } from "./room.ts";

// The provider needs the address of the page, so the server listens first. Early requests wait until everything is ready.
const ready = Promise.withResolvers<void>();
const server = createServer((req, res) => void respond(req, res));
server.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1");
await once(server, "listening");
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const provider = await startProvider(Number(process.env["AUTH_PORT"] ?? 4180), origin);

const guard = createGuard({
  issuer: provider.url, // The guard discovers the keys from this address.
  audience: provider.audience,
  authority: introspection({ url: `${provider.url}/oauth/introspect`, probeMs: 1_000, ...provider.client }),
  degraded: { mode: "local", maxMs: 3_600_000 }, // Verified tokens are accepted for an hour without the provider.
  revocations: httpRevocations({ url: `${provider.url}/auth/revocations`, ...provider.client }),
  memory: { ttlMs: 2_000 }, // The default is five minutes. Two seconds show an effect soon.
});
await guard.ready();

// For the same reason clients refresh after one minute, and the provider is asked again every few seconds.
const connections = createConnections({
  guard,
  warnMs: TOKEN_MS - 60_000,
  recheckMs: 3_000,
  recheckDegradedMs: 1_000,
});
const room = new Room(provider.isPluggedIn);
const wss = new WebSocketServer({ noServer: true, maxPayload: 16_384 });
// A page sees close codes, but not the response to a handshake, so the first message brings the token.
const tokenFrom = { firstMessage: true, authorization: false, subprotocol: false };
const upgrade = protect(connections, { scopes: ["chat"], tokenFrom }, wss, (socket, request) => {
  room.enter(socket, request.auth);
});
server.on("upgrade", upgrade);

// The condition makes the example run from the sources of the repository. An application does not need it.
const { outputFiles } = await build({
  entryPoints: [fileURLToPath(new URL("page/chat.js", import.meta.url))],
  bundle: true,
  format: "esm",
  conditions: ["holdfast-source"],
  write: false,
});
const script = outputFiles[0]?.text ?? "";

const files: Record<string, readonly [file: string, type: string]> = {
  "/": ["index.html", "text/html"],
  "/style.css": ["style.css", "text/css"],
};
const controls: Record<string, () => Promise<void>> = {
  "/pull-plug": provider.pullPlug,
  "/plug-in": provider.plugIn,
  "/revoke/alice": async () => await provider.revoke("alice"),
  "/revoke/bob": async () => await provider.revoke("bob"),
};

async function respond(req: IncomingMessage, res: ServerResponse): Promise<void> {
  await ready.promise;
  const path = req.url ?? "/";
  const [file, type = ""] = (req.method === "GET" && files[path]) || [];
  const control = req.method === "POST" ? controls[path] : undefined;
  if (req.method === "GET" && path === "/chat.js") {
    res.setHeader("Content-Type", "text/javascript; charset=utf-8");
    res.end(script);
  } else if (file !== undefined) {
    const text = await readFile(new URL(`page/${file}`, import.meta.url), "utf8");
    res.setHeader("Content-Type", `${type}; charset=utf-8`);
    res.setHeader(
      "Content-Security-Policy",
      `default-src 'self'; img-src data:; connect-src 'self' ${provider.url}`,
    );
    const pluggedIn = String(provider.isPluggedIn());
    res.end(text.replace("{{provider}}", provider.url).replace("{{pluggedIn}}", pluggedIn));
  } else if (control === undefined) res.writeHead(404).end();
  else if (req.headers.origin !== origin) res.writeHead(403).end(); // Another page in the same browser.
  else {
    await control();
    res.writeHead(204).end();
  }
}
ready.resolve();

console.log(`chat:     ${origin} (open it in two windows)`);
console.log(`provider: ${provider.url}`);
console.log(`accounts: ${provider.accounts.join(", ")}`);
