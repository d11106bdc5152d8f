import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { createLogger } from "../../../src/server/logs.ts";
import { startService } from "../../../src/server/serve.ts";
import { readSettings } from "../../../src/server/settings.ts";
import { post, type Tokens } from "../../support/auth-calls.ts";
import { waitUntil } from "../../support/deadline.ts";
import { createProvider } from "../../../src/testing/index.ts";
import { AUDIENCE, clients, PASSWORD, SCOPES, users, type SessionName } from "./endpoints.ts";
import { PAGE_ORIGIN, type Credentials, type SessionTokens, type WorstRequest } from "./requests.ts";

/** A service in this thread, so that the processor time of the thread is that of the service and of a bare socket. */
export interface MeasuredService {
  readonly adminPort: number;
  readonly credentials: () => Credentials;
  /** Begins these sessions again. Access tokens expire during a long run. */
  readonly renew: (...names: readonly SessionName[]) => Promise<void>;
  /** Sends the request and returns the status of the answer and the milliseconds of processor time that it took. */
  readonly measure: (request: WorstRequest) => Promise<{ readonly status: string; readonly cpuMs: number }>;
  readonly stop: () => Promise<void>;
}

/** A policy with many rules, because a path is compared with each of them. */
const policy = {
  rules: [
    ...Array.from({ length: 100 }, (_, i) => ({ path: `/service-${i}/*`, methods: ["GET"], scopes: ["a"] })),
    { path: "/orders/*" },
  ],
};

/** Node 22 counts only the whole process, with the threads that hash passwords. */
const countsThread = "threadCpuUsage" in process;
const cpuUsage = (previous?: NodeJS.CpuUsage) =>
  countsThread ? process.threadCpuUsage(previous) : process.cpuUsage(previous);

const userOfSession: Readonly<Record<SessionName, string>> = {
  administrator: "alice",
  refreshed: users.loggedIn,
  ended: users.ended,
};

/** Starts a service on the store of the settings, with cookies, a client, a policy and some users. */
export async function startMeasuredService(store: Record<string, string> = {}): Promise<MeasuredService> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-one-request-"));
  const policyFile = join(folder, "policy.json");
  await writeFile(policyFile, JSON.stringify(policy));
  const provider = await createProvider({ audience: AUDIENCE });
  await provider.listen();
  const settings = readSettings({
    HOLDFAST_PORT: "0",
    HOLDFAST_ADMIN_PORT: "0",
    HOLDFAST_URL: "https://id.example.com",
    HOLDFAST_DATA_DIR: join(folder, "data"),
    HOLDFAST_BOOTSTRAP_USER: `alice:${PASSWORD}`,
    HOLDFAST_AUDIENCE: AUDIENCE,
    HOLDFAST_CLIENTS: `orders:${clients.orders},sync:${clients.sync}`,
    HOLDFAST_CLIENT_SCOPES: `orders=${SCOPES},sync=${SCOPES}`,
    HOLDFAST_CLIENT_REFRESH_TOKENS: "sync=1h/1d",
    HOLDFAST_PROVIDER_ISSUER: provider.issuer,
    HOLDFAST_AUTHORITY_URL: provider.url("introspection"),
    HOLDFAST_AUTHORITY_CLIENT: `${provider.clientId}:${provider.clientSecret}`,
    HOLDFAST_CORS_ORIGINS: PAGE_ORIGIN,
    HOLDFAST_COOKIES: PAGE_ORIGIN,
    HOLDFAST_TRUSTED_PROXIES: "127.0.0.1",
    HOLDFAST_POLICY: policyFile,
    ...store,
  });
  const service = await startService(settings, createLogger("silent"));
  const { publicAddress } = service;
  const ports = {
    public: Number(new URL(publicAddress).port),
    admin: Number(new URL(service.adminAddress).port),
  };
  const logIn = async (username: string): Promise<SessionTokens> => {
    let response: Response | undefined;
    // A store on a busy machine may answer late, which is 503.
    await waitUntil(async () => {
      response = await post(publicAddress, "/auth/login", { username, password: PASSWORD });
      return response.status !== 503;
    }, "an answer to a login");
    assert.equal(response?.status, 200);
    return (await response.json()) as Tokens;
  };
  const administrator = await logIn("alice");
  for (const username of Object.values(users)) {
    const user = { username, password: PASSWORD, scope: SCOPES };
    const response = await post(publicAddress, "/admin/users", user, administrator.access_token);
    assert.equal(response.status, 201);
  }
  const sessions = {
    administrator,
    refreshed: await logIn(userOfSession.refreshed),
    ended: await logIn(userOfSession.ended),
  };
  const basic = `Basic ${Buffer.from(`orders:${clients.orders}`).toString("base64")}`;
  return {
    adminPort: ports.admin,
    credentials: () => ({
      basic,
      sessions,
      provider: { issuer: provider.issuer, token: provider.token() },
    }),
    async renew(...names) {
      for (const name of names) sessions[name] = await logIn(userOfSession[name]);
    },
    async measure({ listener, bytes, isStream }) {
      const socket = connect(ports[listener], "127.0.0.1");
      await once(socket, "connect");
      let answer = "";
      socket.on("data", (part) => {
        answer ||= part.toString("latin1", 0, 16);
        // The first message is the work of the request. The others come with time.
        if (isStream && part.includes("event: snapshot")) socket.destroy();
      });
      // The service closes the connection of a request that it cuts off.
      socket.on("error", () => undefined);
      const closed = new Promise((resolve) => socket.once("close", resolve));
      const before = cpuUsage();
      socket.write(bytes);
      await closed;
      await setImmediate();
      const { user, system } = cpuUsage(before);
      return { status: answer.slice(9, 12), cpuMs: (user + system) / 1000 };
    },
    async stop() {
      await service.stop();
      await provider.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
