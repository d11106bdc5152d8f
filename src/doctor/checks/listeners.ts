import { once } from "node:events";
import { createServer } from "node:net";
import { systemErrorCode } from "../../core/errors.ts";
import { isLoopbackHost } from "../../server/http/admin-access.ts";
import { httpAddress } from "../../server/http/listen.ts";
import type { Check } from "../check.ts";
import { fail, ok, skip, warn, type Finding } from "../finding.ts";

/** A port is free, taken by the service itself, or taken by another program. */
export const listenersCheck: Check = {
  name: "listeners",
  group: "configuration",
  async run({ settings, processes }, signal) {
    const { host, port, adminHost, adminPort, adminToken } = settings;
    const service = processes.some(({ found }) => found === "process")
      ? "answers"
      : processes.some(({ found }) => found === "silent")
        ? "silent"
        : "absent";
    const findings = await Promise.all([
      checkPort({ host, port, service, portSetting: "HOLDFAST_PORT", hostSetting: "HOLDFAST_HOST" }, signal),
      checkPort(
        {
          host: adminHost,
          port: adminPort,
          service,
          portSetting: "HOLDFAST_ADMIN_PORT",
          hostSetting: "HOLDFAST_ADMIN_HOST",
        },
        signal,
      ),
    ]);
    // An operator who gives it a token means to reach it from elsewhere.
    if (isLoopbackHost(adminHost) || adminToken !== undefined) return findings;
    const detail = `other machines can reach the admin listener on ${adminHost}, which asks for its token`;
    return [...findings, warn(detail, "let only the machines of your monitoring reach it, or set 127.0.0.1")];
  },
};

interface ListenerPlace {
  readonly host: string;
  readonly port: number;
  /** `silent`: a process announced itself and does not answer, so its ports cannot be told from those of others. */
  readonly service: "answers" | "silent" | "absent";
  readonly portSetting: string;
  readonly hostSetting: string;
}

async function checkPort(place: ListenerPlace, signal: AbortSignal): Promise<Finding> {
  const { host, port, service, portSetting, hostSetting } = place;
  if (port === 0) return ok(`${portSetting} is 0: the system chooses a free port`);
  const address = httpAddress(host, port);
  const code = await tryToListen(host, port);
  if (code === null) return ok(`${address} is free`);
  if (code === "EADDRINUSE") {
    if (service === "silent") {
      return skip(`${address} is in use, and a process of the service does not answer`);
    }
    if (service === "answers" && (await isHoldfast(host, port, signal)))
      return ok(`${address} is in use by the service`);
    return fail(`another program listens on ${address}`, `end it, or choose another ${portSetting}`);
  }
  if (code === "EACCES") return fail(`this user may not use ${address}`, `choose another ${portSetting}`);
  return fail(`this machine has no address ${host} (${code})`, `choose another ${hostSetting}`);
}

/** Listens for a moment. Returns the code of the error. `null` when the port is free. */
async function tryToListen(host: string, port: number): Promise<string | null> {
  const server = createServer((socket) => socket.destroy());
  try {
    server.listen({ host, port });
    await once(server, "listening");
    return null;
  } catch (error) {
    return systemErrorCode(error) ?? "unknown error";
  } finally {
    server.close();
  }
}

/** Both listeners answer 404 to an unknown path, in the form of an OAuth error. */
async function isHoldfast(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  const local = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  try {
    const response = await fetch(`${httpAddress(local, port)}/health/doctor`, { redirect: "error", signal });
    const { error } = (await response.json()) as { error?: unknown };
    return typeof error === "string";
  } catch {
    return false;
  }
}
