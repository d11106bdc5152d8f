import { checkRules, type Rules } from "../core/rules.ts";
import { sleep } from "../core/clock.ts";
import { rejectUnknownOptions, readWholeNumber } from "../core/options.ts";
import type { JwtClaims } from "../core/verdict.ts";
import { closeCodes, toCloseError } from "./close-codes.ts";
import { LiveConnection } from "./connection.ts";
import { ConnectionRegistry } from "./registry.ts";
import { Sweeper } from "./sweeper.ts";
import { connectionsSettings } from "./settings.ts";
import type { Connections, ConnectionsOptions, SocketTransport } from "./types.ts";

/** How often some are sent away. */
const DRAIN_STEP_MS = 50;
const MAX_DRAIN_MS = 3_600_000;

/**
 * Live connections that last as long as their tokens do. Options are read once; throws `invalid_option` or
 * `missing_method`, naming what is wrong. Close it before its guard.
 *
 * ```ts
 * const connections = createConnections({ guard });
 * server.on("upgrade", protect(connections, { scopes: ["chat"] }, new WebSocketServer({ noServer: true })));
 * ```
 */
export function createConnections<C = JwtClaims>(options: ConnectionsOptions<C>): Connections<C> {
  const settings = connectionsSettings(options);
  const { guard } = options;
  const registry = new ConnectionRegistry<C>(guard, settings);
  const sweeper = new Sweeper<C>(registry);
  const stopWatching = guard.watch(() => sweeper.sweepSoon());
  const register = (transport: SocketTransport, rules: Rules = {}) => {
    checkRules("connections", rules);
    const connection = new LiveConnection<C>(registry, transport, rules);
    registry.connections.add(connection);
    sweeper.start();
    return connection;
  };
  const closeAll = async (overMs: number) => {
    registry.isDraining = true;
    for (let left = Math.max(1, Math.ceil(overMs / DRAIN_STEP_MS)); registry.connections.size > 0; left--) {
      const some = [...registry.connections].slice(0, Math.ceil(registry.connections.size / left));
      for (const connection of some) connection.close("try_later");
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
      const isSpread = refusal?.status === "limited";
      return {
        error,
        code: closeCodes[error],
        retryAfterMs: isSpread ? atLeastMs : registry.drawRetryAfterMs(error, atLeastMs),
      };
    },
    expect: (transport, rules) => {
      const connection = register(transport, rules);
      if (registry.isDraining) connection.close("try_later");
      else registry.addPending(connection);
      return connection;
    },
    status: () => registry.status(),
    drain: async (call = {}) => {
      rejectUnknownOptions("drain", call, ["overMs"]);
      await closeAll(readWholeNumber("overMs", call.overMs, { default: 10_000, min: 0, max: MAX_DRAIN_MS }));
    },
    close: async () => {
      stopWatching();
      sweeper.stop();
      await closeAll(0);
    },
  };
}
