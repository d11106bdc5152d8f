import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { createLogger } from "../../../src/server/logs.ts";
import { startService } from "../../../src/server/serve.ts";
import { readSettings } from "../../../src/server/settings.ts";
import type { Credentials, WorstRequest } from "./requests.ts";

/** A service in this thread, so that the processor time of the thread is that of the service and of a bare socket. */
export interface MeasuredService {
  readonly adminPort: number;
  readonly credentials: () => Credentials;
  /** Logs in again. Access tokens expire during a long run. */
  readonly renew: () => Promise<void>;
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

const CLIENT = "orders:the secret of orders";

export async function startMeasuredService(): Promise<MeasuredService> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-one-request-"));
  const policyFile = join(folder, "policy.json");
  await writeFile(policyFile, JSON.stringify(policy));
  const settings = readSettings({
    HOLDFAST_PORT: "0",
    HOLDFAST_ADMIN_PORT: "0",
    HOLDFAST_DATA_DIR: join(folder, "data"),
    HOLDFAST_BOOTSTRAP_USER: "alice:correct horse battery",
    HOLDFAST_CLIENTS: CLIENT,
    HOLDFAST_CORS_ORIGINS: "https://app.example.com",
    HOLDFAST_TRUSTED_PROXIES: "127.0.0.1",
    HOLDFAST_POLICY: policyFile,
  });
  const service = await startService(settings, createLogger("silent"));
  const ports = {
    public: Number(new URL(service.publicAddress).port),
    admin: Number(new URL(service.adminAddress).port),
  };
  const logIn = async (): Promise<Credentials> => {
    const response = await fetch(`${service.publicAddress}/auth/login`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ username: "alice", password: "correct horse battery" }),
    });
    const tokens = (await response.json()) as { access_token: string; refresh_token: string };
    return {
      bearer: `Bearer ${tokens.access_token}`,
      basic: `Basic ${Buffer.from(CLIENT).toString("base64")}`,
      refreshToken: tokens.refresh_token,
      tokenHeader: tokens.access_token.split(".", 1)[0] ?? "",
    };
  };
  let credentials = await logIn();
  return {
    adminPort: ports.admin,
    credentials: () => credentials,
    async renew() {
      credentials = await logIn();
    },
    async measure({ listener, bytes }) {
      const socket = connect(ports[listener], "127.0.0.1");
      await once(socket, "connect");
      let answer = "";
      socket.on("data", (part) => {
        answer ||= part.toString("latin1", 0, 16);
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
      await rm(folder, { recursive: true, force: true });
    },
  };
}
