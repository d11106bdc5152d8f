import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../core/clock.ts";

/** A request that was answered, or whose client has gone. */
export interface MeasuredRequest {
  readonly listener: "public" | "admin";
  readonly request: IncomingMessage;
  /** The address of the connection, as it was when the request began. A request that was destroyed has no socket. */
  readonly peer: string | undefined;
  /** The template of the route, such as `/auth/sessions/:id`. `null` when no route has the path. */
  readonly route: string | null;
  /** `null` when the client has gone before the answer began. */
  readonly status: number | null;
  /** From the head of the request to the end of the answer. */
  readonly durationMs: number;
}

/** Measures the requests of both listeners once, for metrics and for the log. */
export class RequestMeasure {
  readonly #clock: Clock;
  readonly #subscribers = new Set<(measured: MeasuredRequest) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `subscriber` at the end of each request. */
  subscribe(subscriber: (measured: MeasuredRequest) => void): void {
    this.#subscribers.add(subscriber);
  }

  /** Measures one request. `findRoute` is called at its end. */
  begin(
    listener: MeasuredRequest["listener"],
    request: IncomingMessage,
    response: ServerResponse,
    findRoute: (target: string) => string | null,
  ): void {
    const startedAt = this.#clock.monotonic();
    const peer = request.socket.remoteAddress;
    response.once("close", () => {
      const durationMs = this.#clock.monotonic() - startedAt;
      const status = response.headersSent ? response.statusCode : null;
      const route = findRoute(request.url ?? "");
      for (const notify of this.#subscribers) notify({ listener, request, peer, route, status, durationMs });
    });
  }
}
