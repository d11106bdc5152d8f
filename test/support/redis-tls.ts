import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { createClient } from "redis";
import { makeCertificate } from "../guard/keys/certificate.ts";
import { freePort } from "./free-port.ts";
import { RedisServer } from "./redis-servers.ts";

const DAY_MS = 86_400_000;

/** Starts a server with TLS at `url`. Its certificate is not trusted yet. */
export async function startTlsRedis(t: TestContext): Promise<{
  url: string;
  port: number;
  cert: string;
  key: string;
  files: Record<string, string>;
  setPassword: (password: string) => Promise<void>;
}> {
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
  // The connection of an administrator stays authenticated, and closes all others.
  const admin = await createClient({ url: server.url, password: "secret" }).connect();
  // The server may stop first.
  admin.on("error", () => {});
  t.after(() => admin.destroy());
  const setPassword = async (password: string) => {
    await admin.configSet("requirepass", password);
    await admin.sendCommand(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
  };
  return { url: `rediss://:secret@127.0.0.1:${port}`, port, cert, key, files, setPassword };
}
