import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { BlockList } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGuard, jwks, staticKeys } from "../../src/index.ts";
import { readPolicyFile } from "../../src/gateway/policy-file.ts";
import { createGateway } from "../../src/gateway/gateway.ts";
import { listen } from "../../src/server/http/listen.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { createMint, type Mint } from "../../src/testing/index.ts";
import { startApplication, type Application } from "./application.ts";
import type { Certificate } from "./certificate.ts";
import { startProxy, type ProxyName } from "./proxies.ts";

const issuer = "https://id.example";
const audience = "https://api.example";

/** The policy of the gateway in these tests. */
export const policy = `{
  "tokenFrom": { "cookie": { "name": "__Host-hf_at", "origins": ["https://app.example"] } },
  "rules": [
    { "path": "/open/*", "anonymous": true },
    { "host": "open.example", "path": "/*", "anonymous": true }, // A client must not be able to choose this host.
    { "path": "/orders/*", "methods": ["GET"], "scopes": ["orders:read"] },
    { "path": "/orders/*", "methods": ["POST"], "scopes": ["orders:write"] },
    { "path": "/staff/*", "scopes": ["staff"] },
    { "path": "/chat" }
  ]
}`;

export interface GuardedGateway {
  readonly port: number;
  readonly mint: Mint;
  /** A mint of an issuer whose keys cannot be fetched. */
  readonly unreachable: Mint;
  revoke(jti: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a real gateway with policy file and guard. Every peer on this machine is a trusted proxy. */
export async function startGuardedGateway(): Promise<GuardedGateway> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-gateway-"));
  const file = join(folder, "policy.json");
  writeFileSync(file, policy);
  const mint = await createMint({ issuer, audience });
  const unreachable = await createMint({ issuer: "https://gone.example", audience });
  const { revocations } = memoryStore();
  const guard = createGuard({
    issuers: [
      { issuer, audience, keys: staticKeys(mint.jwks()), revocations },
      { issuer: unreachable.issuer, audience, keys: jwks("http://127.0.0.1:9/keys") },
    ],
  });
  await guard.ready({ issuer });
  const trustedProxies = new BlockList();
  trustedProxies.addAddress("127.0.0.1");
  const listener = await listen("127.0.0.1", 0, "HOLDFAST_PORT");
  listener.mount(createGateway(guard, { policy: await readPolicyFile(file), trustedProxies }));
  return {
    port: listener.port,
    mint,
    unreachable,
    async revoke(jti) {
      await revocations.append({ kind: "token", id: jti, issuer, until: Date.now() + 3_600_000 });
    },
    async stop() {
      await listener.stop();
      await guard.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface GuardedSite extends GuardedGateway {
  readonly application: Application;
  /** Stops the gateway. Proxy and application keep running. */
  stopGateway(): Promise<void>;
}

/** Starts the same behind a real proxy at `port`, with an application that keeps the requests it received. */
export async function startGuardedSite(name: ProxyName, certificate?: Certificate): Promise<GuardedSite> {
  const guarded = await startGuardedGateway();
  const application = await startApplication();
  const proxy = await startProxy(name, guarded.port, application.port, certificate);
  let stopped: Promise<void> | undefined;
  const stopGateway = async () => await (stopped ??= guarded.stop());
  return {
    ...guarded,
    port: proxy.port,
    application,
    stopGateway,
    async stop() {
      await proxy.stop();
      await stopGateway();
      await application.stop();
    },
  };
}
