import { sleep } from "../../core/clock.ts";
import { onlyKnown, wholeNumber } from "../../core/options.ts";
import type { JwtClaims } from "../../core/verdict.ts";
import { checkRules } from "../rules.ts";
import type { Rules } from "../types.ts";
import { closeCodes, closeErrorOf } from "./close-codes.ts";
import { LiveConnection } from "./connection.ts";
import { House } from "./house.ts";
import { Patrol } from "./patrol.ts";
import { connectionsSettings } from "./settings.ts";
import type { Connections, ConnectionsOptions, Line } from "./types.ts";

/** How often some are sent away. */
const STEP_MS = 50;
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
  const house = new House<C>(guard, settings);
  const patrol = new Patrol<C>(house);
  const unwatch = guard.watch(() => patrol.hurry());
  const join = (line: Line, rules: Rules = {}) => {
    checkRules(rules);
    const connection = new LiveConnection<C>(house, line, rules);
    house.members.add(connection);
    patrol.begin();
    return connection;
  };
  const sendAway = async (overMs: number) => {
    house.isLeaving = true;
    for (let left = Math.max(1, Math.ceil(overMs / STEP_MS)); house.members.size > 0; left--) {
      const some = [...house.members].slice(0, Math.ceil(house.members.size / left));
      for (const connection of some) connection.close("try_later");
      if (house.members.size > 0) await sleep(settings.clock, STEP_MS);
    }
  };
  return {
    admit: async (token, rules) => await house.admit(token, rules),
    open: (line, admission, rules) => {
      const connection = join(line, rules);
      if (house.isLeaving) connection.close("try_later");
      else connection.begin(admission);
      return connection;
    },
    closing: (refusal) => {
      const error = refusal === null ? "token_missing" : closeErrorOf(refusal);
      const atLeastMs = refusal !== null && "retryAfterMs" in refusal ? refusal.retryAfterMs : 0;
      const isSpread = refusal?.status === "limited";
      return {
        error,
        code: closeCodes[error],
        retryAfterMs: isSpread ? atLeastMs : house.hintMs(error, atLeastMs),
      };
    },
    expect: (line, rules) => {
      const connection = join(line, rules);
      if (house.isLeaving) connection.close("try_later");
      else house.wait(connection);
      return connection;
    },
    status: () => house.status(),
    drain: async (call = {}) => {
      onlyKnown("drain", call, ["overMs"]);
      await sendAway(wholeNumber("overMs", call.overMs, { default: 10_000, min: 0, max: MAX_DRAIN_MS }));
    },
    close: async () => {
      unwatch();
      patrol.stop();
      await sendAway(0);
    },
  };
}
