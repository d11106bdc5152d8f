import { checkRules, type Rules } from "../core/rules.ts";
import { sleep } from "../core/clock.ts";
import { readOptions, wholeOption, type OptionTable } from "../core/options.ts";
import type { JwtClaims } from "../core/verdict.ts";
import { closeCodes, toCloseError } from "./close-codes.ts";
import { LiveConnection } from "./connection.ts";
import { ConnectionRegistry } from "./registry.ts";
import { Sweeper } from "./sweeper.ts";
import { connectionsSettings } from "./settings.ts";
import type { Connections, ConnectionsOptions, SocketTransport } from "./types.ts";

/** The time between two steps of a drain. Each step closes an equal share of the connections. */
const DRAIN_STEP_MS = 50;
const MAX_DRAIN_MS = 3_600_000;

/** The options of `drain`, with their limits and defaults. */
const drainOptionTable: OptionTable<{ overMs: number }> = { overMs: wholeOption(10_000, 0, MAX_DRAIN_MS) };

/**
 * Creates the live connections of one server. A connection stays open as long as its token is valid, and its client can
 * send a new token over it. Throws `invalid_option` or `missing_method`, with the name of the option.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import type { Guard } from "holdfast";
 * import { createConnections } from "holdfast/connections";
 * import { protect } from "holdfast/ws";
 * import { WebSocketServer } from "ws";
 *
 * declare const guard: Guard;
 *
 * const connections = createConnections({ guard, maxPerSubject: 20 });
 * const wss = new WebSocketServer({ noServer: true });
 * createServer().on("upgrade", protect(connections, { scopes: ["chat"] }, wss)).listen(8080);
 * ```
 */
export function createConnections<C = JwtClaims>(options: ConnectionsOptions<C>): Connections<C> {
  const settings = connectionsSettings(options);
  const registry = new ConnectionRegistry<C>(settings);
  const sweeper = new Sweeper<C>(registry);
  const stopWatching = settings.guard.watch(() => sweeper.sweepSoon());
  const register = (transport: SocketTransport, rules: Rules = {}) => {
    checkRules("connections", rules);
    const connection = new LiveConnection<C>(registry, transport, rules);
    registry.connections.add(connection);
    sweeper.start();
    return connection;
  };
  const closeAll = async (overMs: number) => {
    registry.isDraining = true;
    registry.transports.closeAll();
    for (let steps = Math.max(1, Math.ceil(overMs / DRAIN_STEP_MS)); registry.connections.size > 0; steps--) {
      const share = [...registry.connections].slice(0, Math.ceil(registry.connections.size / steps));
      for (const connection of share) connection.close("try_later");
      if (registry.connections.size > 0) await sleep(settings.clock, DRAIN_STEP_MS);
    }
  };
  return {
    admit: async (token, rules) => await registry.admit(token, rules),
    open: (transport, admission, rules) => {
      const connection = register(transport, rules);
      if (registry.isDraining) connection.close("try_later");
      else connection.open(admission);
      return connection;
    },
    closing: (refusal) => {
      const error = refusal === null ? "token_missing" : toCloseError(refusal);
      const atLeastMs = refusal !== null && "retryAfterMs" in refusal ? refusal.retryAfterMs : 0;
      // The registry has drawn the time of a limited handshake already.
      const isDrawn = refusal?.status === "limited";
      return {
        error,
        code: closeCodes[error],
        retryAfterMs: isDrawn ? atLeastMs : registry.drawRetryAfterMs(error, atLeastMs),
      };
    },
    expect: (transport, rules) => {
      const connection = register(transport, rules);
      if (registry.isDraining) connection.close("try_later");
      else registry.addPending(connection);
      return connection;
    },
    // A client that comes during a drain joins a namespace first, because only there it learns when to come back.
    expectTransport: (close) => registry.transports.add(close),
    status: () => registry.status(),
    metrics: () => registry.metrics(),
    drain: async (call = {}) => await closeAll(readOptions("drain", call, drainOptionTable).overMs),
    close: async () => {
      stopWatching();
      sweeper.stop();
      await closeAll(0);
    },
  };
}
