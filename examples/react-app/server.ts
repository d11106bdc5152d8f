import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { createServer as createVite, defaultClientConditions } from "vite";
import { startService } from "./service.ts";

const server = createServer();
server.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1");
await once(server, "listening");
const page = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const service = await startService(Number(process.env["AUTH_PORT"] ?? 4180), page);

const vite = await createVite({
  configFile: false,
  root: fileURLToPath(new URL(".", import.meta.url)),
  appType: "spa",
  logLevel: "warn",
  define: { "import.meta.env.VITE_SERVICE": JSON.stringify(service.url) },
  // The example runs from the sources of the repository. An application does not need this condition.
  resolve: { conditions: [...defaultClientConditions, "holdfast-source"] },
  server: { middlewareMode: true, hmr: { server }, fs: { allow: ["../.."] } },
});

const controls: Record<string, () => Promise<void>> = {
  "/stop-service": service.stop,
  "/start-service": service.start,
};

async function serve(request: IncomingMessage, res: ServerResponse): Promise<void> {
  const control = request.method === "POST" ? controls[request.url ?? ""] : undefined;
  if (control === undefined) return vite.middlewares(request, res);
  if (request.headers.origin !== page) return void res.writeHead(403).end(); // Another page in the same browser.
  await control();
  res.writeHead(204).end();
}
server.on("request", (request, res) => void serve(request, res));

console.log(`page:     ${page} (open it in two tabs)`);
console.log(`service:  ${service.url}`);
console.log("accounts: alice / wonderland, bob / builder");
