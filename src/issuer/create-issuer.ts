import { systemClock } from "../core/clock.ts";
import { HoldfastError, isHoldfastError } from "../core/errors.ts";
import { invalidOption, requireMethods } from "../core/options.ts";
import { SingleFlight } from "../resilience/single-flight.ts";
import { AccessTokens } from "./access.ts";
import { checkOptions } from "./config.ts";
import type { Context } from "./context.ts";
import { createRecorder } from "./foundation.ts";
import { createEndpoints } from "./endpoints/app.ts";
import { LoginLimits } from "./limits.ts";
import { LogWatch } from "./log-watch.ts";
import { login } from "./login.ts";
import { startMaintenance } from "./maintenance.ts";
import { Passwords } from "./passwords.ts";
import { refresh } from "./refresh.ts";
import { checkRevocationId, revoke } from "./revoke.ts";
import { deriveSecrets } from "./secrets.ts";
import { endSession } from "./sessions.ts";
import { SigningKeys } from "./signing-keys.ts";
import { openStore } from "./store-owner.ts";
import { openPort } from "./store-port.ts";
import type { Issuer, IssuerOptions } from "./types.ts";
import { addUser, listUsers, setPassword } from "./users.ts";

/**
 * Makes an issuer: first-party sessions whose tokens anybody can prove with its published keys.
 *
 * ```ts
 * const issuer = createIssuer({ url: "https://id.example.com", audience: "https://api.example.com", store, secret });
 * await issuer.ready();
 * ```
 *
 * Throws `invalid_option` or `missing_method`. Whatever needs the store makes it ready first, so `ready()` is for
 * those who want to know early.
 */
export function createIssuer(options: IssuerOptions): Issuer {
  const config = checkOptions(options);
  const { clock = systemClock, random = Math.random } = options;
  requireMethods("issuer", "clock", clock, ["now", "monotonic", "after"]);
  if (typeof random !== "function") throw invalidOption("random", "a function", random);
  const secrets = deriveSecrets(options.secret);
  const recorder = createRecorder(config.name, clock, () => store);
  const { store, health } = openPort(options.store, clock, (said) => recorder.report("store_failed", said));
  const base = { config, secrets, store, clock, ...recorder };
  const keys = new SigningKeys(base);
  const access = new AccessTokens(base, keys);
  const limits = new LoginLimits(clock);
  const watch = new LogWatch(base);
  const ctx: Context = { ...base, keys, access, passwords: new Passwords(), limits, watch };

  const opening = new SingleFlight<"open", void>();
  let state: "new" | "open" | "closed" = "new";
  let stop = () => {};
  const open = async () => {
    await openStore(ctx, keys);
    if (state === "closed") return;
    state = "open";
    stop = startMaintenance(ctx, random);
  };
  const ready = async () => {
    if (state === "new") await opening.run("open", open);
    if (state === "closed") throw new HoldfastError("closed", "the issuer is closed");
  };
  const afterReady =
    <A extends unknown[], R>(work: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      await ready();
      return await work(...args);
    };

  return {
    name: config.name,
    fetch: createEndpoints(ctx, ready),
    login: orUnavailable(
      afterReady(async (credentials, origin = {}) => await login(ctx, credentials, origin)),
    ),
    refresh: orUnavailable(afterReady(async (token, origin = {}) => await refresh(ctx, token, origin))),
    endSession: afterReady(async (id, reason = "revoked") => {
      checkRevocationId(id);
      await endSession(ctx, id, reason);
    }),
    revoke: afterReady(async (what) => await revoke(ctx, what)),
    revocations: store.revocations,
    users: {
      add: afterReady(async (user, how) => await addUser(ctx, user, how)),
      setPassword: afterReady(async (name, password) => await setPassword(ctx, name, password)),
      list: afterReady(async (page) => await listUsers(ctx, page)),
    },
    keys: {
      list: afterReady(async () => {
        await keys.reload();
        return keys.list();
      }),
      rotate: afterReady(async () => await keys.rotate("by hand")),
    },
    status: () => ({
      name: config.name,
      url: config.url,
      store: { description: store.description, ...health() },
      keys: keys.list(),
    }),
    ready,
    close: async () => {
      state = "closed";
      stop();
      watch.close();
      await Promise.resolve();
    },
  };
}

/** Law 1: what kept us from finding out is neither a yes nor a no. Anything unexpected is thrown on. */
function orUnavailable<A extends unknown[], R>(
  work: (...args: A) => Promise<R>,
): (...args: A) => Promise<R | { status: "unavailable"; retryAfterMs: number }> {
  return async (...args) => {
    try {
      return await work(...args);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      return { status: "unavailable", retryAfterMs: error.retryAfterMs || 1000 };
    }
  };
}
