import { createConnections } from "../../src/connections/create-connections.ts";
import type { Connections } from "../../src/connections/types.ts";
import type { Guard } from "../../src/guard/types.ts";
import type { ProcessContext, SimulatedProcess } from "../../src/testing/simulation/index.ts";
import type { PlannedSockets } from "../plan-sockets.ts";
import type { Recorder } from "../recorder.ts";
import { ServerSocket, type GuardFacts } from "./server-socket.ts";
import type { SocketNetwork } from "./simulated-socket.ts";

/** The parts of a process that serves WebSockets. */
export interface SocketHostParts {
  readonly guard: Guard;
  readonly plan: PlannedSockets;
  readonly recorder: Recorder;
  readonly sockets: SocketNetwork;
  readonly process: SimulatedProcess;
  readonly context: ProcessContext;
  /** What the history says about the guard. */
  readonly facts: GuardFacts;
}

const statuses = { invalid: 401, forbidden: 403, unavailable: 503, limited: 429 } as const;

/** The live connections of one process, behind an adapter for simulated sockets. */
export class SocketHost {
  readonly #parts: SocketHostParts;
  readonly #connections: Connections;
  readonly #open = new Set<ServerSocket>();

  constructor(parts: SocketHostParts) {
    const { guard, plan, context } = parts;
    const { canPause: _, clients: __, ...options } = plan;
    this.#parts = parts;
    this.#connections = createConnections({
      guard,
      ...options,
      clock: context.clock,
      random: context.random,
    });
  }

  /** Decides on a handshake. The response of an accepted one names the socket. */
  async handshake(request: Request): Promise<Response> {
    const { recorder, facts } = this.#parts;
    const token = request.headers.get("authorization")?.slice("Bearer ".length) ?? null;
    if (token === null) return this.#upgrade(null, (socket) => this.#connections.expect(socket));
    const answer = recorder.call("verdict", { ...facts(), token: recorder.nameOf(token) });
    const outcome = await this.#connections.admit(token);
    if (outcome.status === "admitted") {
      answer({ status: "valid" });
      return this.#upgrade(token, (socket) => this.#connections.open(socket, outcome));
    }
    answer({
      status: outcome.status,
      ...(outcome.status === "invalid" && { reason: outcome.reason }),
      ...(outcome.status === "unavailable" && { cause: outcome.cause }),
    });
    return new Response(null, { status: statuses[outcome.status] });
  }

  /** Records how many connections the product counts, and how many are open. A process that has crashed has none. */
  recordStatus(): void {
    const { recorder, facts, context } = this.#parts;
    if (!context.isAlive) return;
    const { open, pending } = this.#connections.status();
    for (const socket of this.#open) if (socket.isOver) this.#open.delete(socket);
    const names = [...this.#open].map(({ name }) => name).join(" ");
    recorder.record("sockets", { ...facts(), counted: open + pending, open: this.#open.size, names });
  }

  #upgrade(
    token: string | null,
    connect: (socket: ServerSocket) => ReturnType<Connections["open"]>,
  ): Response {
    const { sockets, process, recorder, facts, plan, guard } = this.#parts;
    const offered = sockets.offer(process);
    const viewAgeMs = () => guard.status().issuers[0]?.revocations?.ageMs ?? 0;
    const parts = { recorder, facts, viewAgeMs, canPause: plan.canPause };
    const socket = new ServerSocket(offered, parts, token);
    this.#open.add(socket);
    socket.connect(connect(socket));
    return new Response(null, { status: 200, headers: { "x-socket": offered.name } });
  }
}
