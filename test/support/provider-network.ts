import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:https";
import { connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { makeCertificate } from "../guard/keys/certificate.ts";

/** A provider under its public name, which only a process behind the proxy reaches. */
export interface ProviderNetwork {
  /** The address of the CONNECT proxy. It leads every name to the provider. */
  readonly proxyUrl: string;
  /** The file with the certificate of the provider's authority, which no system trusts. */
  readonly authorityFile: string;
  /** A folder of the test. */
  readonly folder: string;
  /** The host and port of each tunnel so far. */
  readonly tunnels: readonly string[];
}

const DAY_MS = 86_400_000;

/** Starts the provider and the proxy. `answer` gives the JSON for a path, or `undefined` for a 404. */
export async function openProviderNetwork(
  t: TestContext,
  host: string,
  answer: (path: string) => unknown,
): Promise<ProviderNetwork> {
  const certificate = makeCertificate({ host, from: Date.now() - DAY_MS, to: Date.now() + DAY_MS });
  const provider = createServer({ ...certificate }, (req, res) => {
    const content = answer(req.url ?? "");
    res.statusCode = content === undefined ? 404 : 200;
    res.setHeader("content-type", "application/json");
    res.end(JSON.stringify(content ?? {}));
  });
  const tunnels: string[] = [];
  const proxy = createHttpServer().on("connect", (req, client) => {
    tunnels.push(req.url ?? "");
    const upstream = connect((provider.address() as AddressInfo).port, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      upstream.pipe(client).pipe(upstream);
    });
    for (const socket of [upstream, client]) socket.on("error", () => client.destroy());
  });
  for (const server of [provider, proxy]) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
  }
  const folder = await mkdtemp(join(tmpdir(), "holdfast-network-"));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  const authorityFile = join(folder, "authority.pem");
  await writeFile(authorityFile, certificate.cert);
  const { port } = proxy.address() as AddressInfo;
  return { proxyUrl: `http://127.0.0.1:${port}`, authorityFile, folder, tunnels };
}
