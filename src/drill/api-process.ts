import type { Rules } from "../core/rules.ts";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { protect } from "../adapters/node-http.ts";
import { introspection } from "../guard/authority/introspection.ts";
import { createGuard } from "../guard/create-guard.ts";
import { jwks } from "../guard/keys/jwks.ts";
import type { Guard } from "../guard/types.ts";
import { memoryStore } from "../stores/memory.ts";
import { answerParent } from "./drill-process.ts";
import { serveWebSockets } from "./websocket-server.ts";

/** What the API is told first. */
export interface ApiConfig {
  readonly issuer: string;
  readonly audience: string;
  readonly provider: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Live connections at a time; 0 for none. */
  readonly connections: number;
}

export interface ApiReady {
  readonly url: string;
}

/** For the log of revocations. */
export interface RevokeMessage {
  readonly revoke: string;
  /** Epoch ms. */
  readonly until: number;
}

/** A process that cannot notice that its parent is gone. */
export interface ResumeAtExit {
  readonly resumeAtExit: number;
}

/** Short, so that the authority is asked all the time. */
const REMEMBERED_MS = 2_000;
const KEYS = { freshMs: 5_000, coolDownMs: 1_000 };

const revocations = memoryStore().revocations;
let issuer: string | undefined;

answerParent(async (message) => {
  if (issuer === undefined) return await startApi(message as ApiConfig);
  const told = message as RevokeMessage | ResumeAtExit;
  if ("revoke" in told) {
    await revocations.append({ kind: "token", id: told.revoke, issuer, until: told.until });
  } else process.once("exit", () => resumeProcess(told.resumeAtExit));
  return {};
});

function resumeProcess(pid: number): void {
  try {
    process.kill(pid, "SIGCONT");
  } catch {
    // It has ended already.
  }
}

/** An API such as any application's, but for the headers that tell how a decision came about. */
async function startApi(config: ApiConfig): Promise<ApiReady> {
  const { audience, provider, clientId, clientSecret } = config;
  issuer = config.issuer;
  const guard = createGuard({
    issuer,
    audience,
    keys: jwks(`${provider}/jwks`, KEYS),
    authority: introspection({ url: `${provider}/introspect`, clientId, clientSecret }),
    degraded: "local",
    memory: { ttlMs: REMEMBERED_MS },
    revocations,
  });
  await guard.ready({ timeoutMs: 30_000 });
  const tookMs = new WeakMap<object, number>();
  const timed: Pick<Guard, "authorize"> = {
    async authorize(token: string, rules?: Rules) {
      const began = performance.now();
      const decision = await guard.authorize(token, rules);
      tookMs.set(decision, performance.now() - began);
      return decision;
    },
  };
  const server = createServer(
    protect(timed, {}, ({ auth }, res) => {
      res.setHeader("Server-Timing", `guard;dur=${tookMs.get(auth)}`);
      const { breaker, softTimeoutMs } = guard.status().issuers[0]?.authority ?? {};
      res.setHeader("X-Breaker", breaker ?? "").setHeader("X-Soft-Timeout", softTimeoutMs ?? 0);
      res.end();
    }),
  );
  if (config.connections > 0) await serveWebSockets(server, guard, config.connections);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}
