import type { Guard } from "../src/guard/types.ts";
import type { ProcessContext, SimulatedProcess } from "../src/testing/simulation/index.ts";
import { API_HOST, ownApiHost } from "./addresses.ts";
import type { Plan } from "./plan.ts";
import type { Recorder } from "./recorder.ts";
import type { GuardFacts } from "./sockets/server-socket.ts";
import { SocketHost } from "./sockets/socket-host.ts";
import type { SocketNetwork } from "./sockets/simulated-socket.ts";

const statusCodes = { valid: 200, invalid: 401, forbidden: 403, unavailable: 503 } as const;

/** The parts of an API behind a guard. */
export interface ApiParts {
  readonly guard: Guard;
  readonly plan: Plan;
  readonly recorder: Recorder;
  readonly sockets: SocketNetwork;
  /** The bounds of the guard, for the checks. */
  readonly bounds: Readonly<Record<string, unknown>>;
  readonly process: SimulatedProcess;
  readonly context: ProcessContext;
}

/** What the history says about a guard: its bounds, and what it cannot know, such as a clock that was wrong at the start. */
export function createFacts({
  bounds,
  process,
  context,
}: Pick<ApiParts, "bounds" | "process" | "context">): GuardFacts {
  const start = { ...bounds, life: context.life, startErrorMs: process.clockErrorMs };
  return () => ({ ...start, clockErrorMs: process.clockErrorMs });
}

/** Serves requests and WebSockets behind a guard, and records each decision. */
export function serveApi(parts: ApiParts): SocketHost {
  const { guard, plan, recorder, context } = parts;
  const facts = createFacts(parts);
  const sockets = new SocketHost({ ...parts, plan: plan.sockets, facts });
  const handle = async (request: Request): Promise<Response> => {
    if (new URL(request.url).pathname === "/socket") return await sockets.handshake(request);
    const token = request.headers.get("authorization")?.slice("Bearer ".length) ?? "";
    const answer = recorder.call("verdict", { ...facts(), token: recorder.nameOf(token) });
    const decision = await guard.authorize(token);
    const { status } = decision;
    answer({
      status,
      ...(status === "invalid" && { reason: decision.reason }),
      ...(status === "unavailable" && { cause: decision.cause }),
      ...(status === "valid" && { degraded: decision.degraded !== null, ageMs: decision.revocationAgeMs }),
    });
    return new Response(null, { status: statusCodes[status] });
  };
  for (const host of [API_HOST, ownApiHost(context.name)]) context.listen(host, handle);
  return sockets;
}
