import { once } from "node:events";
import { createServer } from "node:net";
import { systemErrorCode } from "../../core/errors.ts";
import { isRecord } from "../../core/json.ts";
import { isLoopbackHost } from "../../server/http/admin-access.ts";
import { httpAddress } from "../../server/http/listen.ts";
import type { Check } from "../check.ts";
import { fail, ok, skip, warn, type Finding } from "../finding.ts";

/** Shorter than the limit of a check, so that a late answer is told as such. */
const ANSWER_TIMEOUT_MS = 4000;

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
    const answer = service === "answers" ? await whoAnswers(host, port, signal) : "stranger";
    if (answer === "holdfast") return ok(`${address} is in use by the service`);
    // A service under a flood may answer late, and its own health tells that.
    if (answer === null) return skip(`${address} is in use, and gives no answer in time`);
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

/** Both listeners answer an unknown path in the form of an OAuth error. `null` without an answer. */
async function whoAnswers(
  host: string,
  port: number,
  outer: AbortSignal,
): Promise<"holdfast" | "stranger" | null> {
  const local = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  const signal = AbortSignal.any([outer, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
  let response: Response;
  try {
    response = await fetch(`${httpAddress(local, port)}/health/doctor`, { redirect: "manual", signal });
  } catch {
    return null;
  }
  const body: unknown = await response.json().catch(() => null);
  return isRecord(body) && typeof body["error"] === "string" ? "holdfast" : "stranger";
}
