import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { createGuard, jwks } from "holdfast";
import { createIssuer } from "holdfast/issuer";
import { memoryStore } from "holdfast/memory";
import { mountIssuer, protect } from "holdfast/node-http";

// Page, API and logins have one origin here, so nothing crosses origins.
const server = createServer();
server.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const issuer = createIssuer({
  url,
  audience: url,
  store: memoryStore(),
  secret: crypto.randomUUID() + crypto.randomUUID(),
  accessTokenTtlMs: 60_000,
  authenticate: ({ username, password }) =>
    username === "alice" && password === "wonderland" ? { subject: "alice", scopes: [] } : null,
});
const guard = createGuard({
  issuer: url,
  audience: url,
  keys: jwks(`${url}/.well-known/jwks.json`, {
    fetch: async (input, init) => await issuer.fetch(new Request(input, init)),
  }),
  revocations: issuer.revocations,
});
const greet = protect(guard, {}, ({ auth }, res) => void res.end(`Hello ${auth.subject}.`));

// The condition makes the example run from the sources of the repository. An application does not need it.
const { outputFiles } = await build({
  entryPoints: [fileURLToPath(new URL("page/page.js", import.meta.url))],
  bundle: true,
  format: "esm",
  conditions: ["holdfast-source"],
  write: false,
});
const script = outputFiles[0]?.text ?? "";

const serve = mountIssuer(issuer, {}, (request, res) => void servePage(request, res));
async function servePage(request: IncomingMessage, res: ServerResponse): Promise<void> {
  if (request.url === "/greeting") return greet(request, res);
  const isScript = request.url === "/page.js";
  if (!isScript && request.url !== "/") return void res.writeHead(404).end();
  res.setHeader("Content-Type", isScript ? "text/javascript" : "text/html; charset=utf-8");
  // Only the page's own script may run, so no other script reads the tokens.
  res.setHeader("Content-Security-Policy", "default-src 'self'; img-src data:; style-src 'unsafe-inline'");
  res.end(isScript ? script : await readFile(new URL("page/index.html", import.meta.url)));
}
server.on("request", serve);

console.log(`page:     ${url} (open it in two tabs)`);
console.log("account:  alice / wonderland");
