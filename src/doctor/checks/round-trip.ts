import { randomBytes } from "node:crypto";
import { z } from "zod";
import { sleep, systemClock } from "../../core/clock.ts";
import { isHoldfastError } from "../../core/errors.ts";
import { describeError } from "../../guard/emit.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import { withService } from "../../server/maintenance/with-service.ts";
import type { Check } from "../check.ts";
import { fail, ok, skip, warn, type Finding } from "../finding.ts";

const LIMIT_MS = 7000;
/** Adding and removing the user, and two password hashes, take their time beside the steps. */
const WHOLE_MS = 6500;
const STEPS_MS = 5000;
/** A logout should be known everywhere within a second. */
const SLOW_LOGOUT_MS = 1000;
const PAUSE_MS = 50;

const tokensSchema = z.object({ access_token: z.string(), refresh_token: z.string() });
type Tokens = z.infer<typeof tokensSchema>;

/** Takes a throw-away user through a whole session over the instances in turn, as a load balancer may send its requests. */
export const roundTripCheck: Check = {
  name: "round-trip",
  group: "service",
  asks: "the services of --write",
  limitMs: LIMIT_MS,
  async run({ options, settings }, signal) {
    if (options.write.length === 0) return [skip("--write URL takes a throw-away user through a session")];
    if (!settings.roles.has("issuer")) return [skip("this service has no logins")];
    const instances = options.write.map((url) => url.replace(/\/+$/, ""));
    const user = {
      username: `doctor-${randomBytes(6).toString("hex")}`,
      password: randomBytes(18).toString("base64url"),
    };
    try {
      const goThrough = async () => [await goWithUser(user, instances, signal)];
      return await withDeadline(systemClock, "the round trip", WHOLE_MS, goThrough);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      return [
        fail(
          `the throw-away user ${user.username} could not be added or removed: ${error.message}`,
          `see the lines of the store; if the user is still there, run holdfast user remove ${user.username}`,
        ),
      ];
    }
  },
};

interface ThrowAwayUser {
  readonly username: string;
  readonly password: string;
}

async function goWithUser(
  user: ThrowAwayUser,
  instances: readonly string[],
  signal: AbortSignal,
): Promise<Finding> {
  return await withService(async ({ issuer }) => {
    await issuer.users.add({ ...user, scopes: [] }, { actor: "holdfast-doctor" });
    try {
      const steps = AbortSignal.any([signal, AbortSignal.timeout(STEPS_MS)]);
      return await new RoundTrip(instances, steps).run(user);
    } finally {
      await issuer.users.remove(user.username, { actor: "holdfast-doctor" });
    }
  });
}

/** A step that did not do what it should. */
class StepFailure extends Error {}

class RoundTrip {
  readonly #instances: readonly string[];
  readonly #signal: AbortSignal;
  #turn = 0;

  constructor(instances: readonly string[], signal: AbortSignal) {
    this.#instances = instances;
    this.#signal = signal;
  }

  async run(user: ThrowAwayUser): Promise<Finding> {
    try {
      const first = await this.#tokens("the login", "/auth/login", user);
      await this.#expectEverywhere("the session is stored", first, 200);
      const second = await this.#refresh("the refresh", first);
      const repeated = await this.#refresh("the repeated refresh", first);
      if (repeated.refresh_token !== second.refresh_token) {
        throw new StepFailure("the repeated refresh got another successor than the first");
      }
      const third = await this.#refresh("the acknowledgement, a refresh with the successor", second);
      await this.#expectEverywhere("the access token is accepted", third, 200);
      await this.#logOut(third);
      const tookMs = await this.#awaitRefusal(third);
      const done = `a session went over ${this.#instances.join(", ")}, and ended everywhere after ${Math.round(tookMs)} ms`;
      return tookMs <= SLOW_LOGOUT_MS
        ? ok(done)
        : warn(done, "a second is usual: see whether the store or the machine is slow");
    } catch (error) {
      const why =
        error instanceof StepFailure ? error.message : `no answer in time (${describeError(error)})`;
      return fail(
        why,
        "see the log of that instance, and whether all instances share one store and one HOLDFAST_URL",
      );
    }
  }

  /** The instances take turns, so that a step finds what another instance wrote. */
  #next(): string {
    return this.#instances[this.#turn++ % this.#instances.length] ?? "";
  }

  async #tokens(step: string, path: string, body: object): Promise<Tokens> {
    const base = this.#next();
    const response = await this.#post(base, path, body);
    const parsed = tokensSchema.safeParse(await response.json().catch(() => null));
    if (response.status === 200 && parsed.success) return parsed.data;
    throw new StepFailure(`${step} at ${base} answered ${response.status} in place of tokens`);
  }

  async #refresh(step: string, { refresh_token }: Tokens): Promise<Tokens> {
    return await this.#tokens(step, "/auth/refresh", { refresh_token });
  }

  async #logOut({ refresh_token }: Tokens): Promise<void> {
    const base = this.#next();
    const { status } = await this.#post(base, "/auth/logout", { refresh_token });
    if (status !== 204) throw new StepFailure(`the logout at ${base} answered ${status} in place of 204`);
  }

  async #expectEverywhere(step: string, tokens: Tokens, wanted: number): Promise<void> {
    for (const base of this.#instances) {
      const status = await this.#listSessions(base, tokens);
      if (status !== wanted)
        throw new StepFailure(`${step}: ${base} answered ${status} in place of ${wanted}`);
    }
  }

  /** Waits until every instance refuses the access token. Returns how long that took. */
  async #awaitRefusal(tokens: Tokens): Promise<number> {
    const begin = systemClock.monotonic();
    for (const base of this.#instances) {
      while ((await this.#listSessions(base, tokens)) !== 401)
        await sleep(systemClock, PAUSE_MS, this.#signal);
    }
    return systemClock.monotonic() - begin;
  }

  async #listSessions(base: string, { access_token: token }: Tokens): Promise<number> {
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`${base}/auth/sessions`, {
      headers,
      redirect: "manual",
      signal: this.#signal,
    });
    await response.arrayBuffer();
    return response.status;
  }

  async #post(base: string, path: string, body: object): Promise<Response> {
    return await fetch(base + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      redirect: "manual",
      signal: this.#signal,
    });
  }
}
