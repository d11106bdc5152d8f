import { systemClock } from "../core/clock.ts";
import { HoldfastError, isHoldfastError } from "../core/errors.ts";
import { invalidOption, requireMethods } from "../core/options.ts";
import { SingleFlight } from "../resilience/single-flight.ts";
import { AccessTokens } from "./access.ts";
import { checkOptions } from "./config.ts";
import { createRecorder, unlessUnavailable, type Context } from "./context.ts";
import { createEndpoints } from "./endpoints/app.ts";
import { LoginLimits } from "./limits.ts";
import { login } from "./login.ts";
import { startMaintenance } from "./maintenance.ts";
import { Passwords } from "./passwords.ts";
import { refresh } from "./refresh.ts";
import { checkRevocationId, revoke } from "./revoke.ts";
import { RevokedList } from "./revoked.ts";
import { deriveSecrets } from "./secrets.ts";
import { endSession } from "./sessions.ts";
import { SigningKeys } from "./signing-keys.ts";
import { StorePort } from "./store-port.ts";
import { openStore } from "./store-owner.ts";
import type { Issuer, IssuerOptions } from "./types.ts";
import { userCommands } from "./users.ts";

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
  const clock = options.clock ?? systemClock;
  requireMethods("issuer", "clock", clock, ["now", "monotonic", "after"]);
  const { random = Math.random } = options;
  if (typeof random !== "function") throw invalidOption("random", "a function", random);
  const secrets = deriveSecrets(options.secret);
  const record = createRecorder(config.name, clock, () => port.store);
  const port = new StorePort(options.store, clock, (message) => record.report("store_failed", message));
  const { store } = port;
  const onTampered = async (kid: string) => await record.audit("record_tampered", { detail: `key ${kid}` });
  const keys = new SigningKeys({ store, secrets, algorithm: config.algorithm, clock, onTampered });
  const parts = { passwords: new Passwords(), limits: new LoginLimits() };
  const ctx: Context = { config, secrets, store, clock, keys, record, ...parts };

  const opening = new SingleFlight<"open", void>();
  let state: "new" | "open" | "closed" = "new";
  let stop = () => {};
  const ready = async () => {
    if (state === "new") {
      await opening.run("open", async () => {
        await openStore(ctx).catch((error: unknown) => {
          if (isHoldfastError(error, "store_mismatch")) record.report("store_failed", error.message);
          throw error;
        });
        if (state !== "new") return;
        state = "open";
        stop = startMaintenance(ctx, random);
      });
    }
    if (state === "closed") throw new HoldfastError("closed", "the issuer is closed");
  };
  const afterReady =
    <A extends unknown[], R>(work: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      await ready();
      return await work(...args);
    };

  const users = userCommands(ctx);
  return {
    name: config.name,
    fetch: createEndpoints(ctx, new AccessTokens(ctx, new RevokedList(store.revocations, clock)), ready),
    login: async (credentials, origin = {}) =>
      await unlessUnavailable(afterReady(async () => await login(ctx, credentials, origin))),
    refresh: async (token, origin = {}) =>
      await unlessUnavailable(afterReady(async () => await refresh(ctx, token, origin))),
    endSession: afterReady(async (id, reason = "revoked") => {
      checkRevocationId(id);
      await endSession(ctx, id, reason);
    }),
    revoke: afterReady(async (what) => await revoke(ctx, what)),
    revocations: store.revocations,
    users: {
      add: afterReady(async (user, how) => await users.add(user, how)),
      setPassword: afterReady(async (name, password) => await users.setPassword(name, password)),
      list: afterReady(async (page) => await users.list(page)),
    },
    keys: {
      list: afterReady(async () => {
        await keys.reload();
        return keys.list();
      }),
      rotate: afterReady(async () => {
        if ((await keys.rotate()) === "rotated") await record.audit("keys_rotated", { detail: "by hand" });
      }),
    },
    status: () => ({
      name: config.name,
      url: config.url,
      store: { description: store.description, ...port.health },
      keys: keys.list(),
    }),
    ready,
    close: async () => {
      state = "closed";
      stop();
      await Promise.resolve();
    },
  };
}
