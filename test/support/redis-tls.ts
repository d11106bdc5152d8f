import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { makeCertificate } from "../guard/keys/certificate.ts";
import { freePort } from "./free-port.ts";
import { RedisServer } from "./redis-servers.ts";

const DAY_MS = 86_400_000;

/** Starts a server with TLS at `url`. Its certificate is not trusted yet. */
export async function startTlsRedis(
  t: TestContext,
): Promise<{ url: string; port: number; cert: string; key: string; files: Record<string, string> }> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-redis-tls-"));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  const { cert, key } = makeCertificate({ from: Date.now() - DAY_MS, to: Date.now() + DAY_MS });
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  await writeFile(certFile, cert);
  await writeFile(keyFile, key);
  const files = { "tls-cert-file": certFile, "tls-key-file": keyFile, "tls-ca-cert-file": certFile };
  const port = await freePort();
  const server = await RedisServer.start([
    `tls-port ${port}`,
    `tls-cert-file ${certFile}`,
    `tls-key-file ${keyFile}`,
    `tls-ca-cert-file ${certFile}`,
    "tls-auth-clients optional",
    "requirepass secret",
  ]);
  t.after(async () => await server.stop());
  return { url: `rediss://:secret@127.0.0.1:${port}`, port, cert, key, files };
}
