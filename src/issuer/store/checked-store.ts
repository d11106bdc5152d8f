import type { Clock } from "../../core/clock.ts";
import { HoldfastError, isHoldfastError } from "../../core/errors.ts";
import { commandEvents } from "../../core/operation-channels.ts";
import { withSpan, type SpanStart, type Tracing } from "../../core/tracing.ts";
import { requireMethods } from "../../core/options.ts";
import { withTimeLimit } from "../../resilience/deadline.ts";
import { damagedSessionId } from "../../core/damaged-session.ts";
import type { Store } from "../../stores/store.ts";
import type { IssuerCounts, StorePart } from "../metrics/issuer-counts.ts";
import type { IssuerStatus } from "../types.ts";
import type { StoreOutage } from "./store-outage.ts";

type Access = "read" | "write";
type PartWithMethods = Exclude<StorePart, "now" | "prune">;

/** Every method that the issuer calls, and whether it writes. The compiler keeps the table complete. */
const storeMethods: { readonly [P in PartWithMethods]: Readonly<Record<keyof Store[P], Access>> } = {
  users: {
    add: "write",
    get: "read",
    getByLoginKey: "read",
    getBySubject: "read",
    subjectOf: "read",
    replace: "write",
    remove: "write",
    list: "read",
  },
  sessions: {
    mark: "read",
    create: "write",
    get: "read",
    listBySubject: "read",
    rotate: "write",
    acknowledge: "write",
    end: "write",
    endAll: "write",
  },
  keys: { list: "read", initialise: "write", rotate: "write", reseal: "write", remove: "write" },
  revocations: { snapshot: "read", snapshotPage: "read", after: "read", subscribe: "read", append: "write" },
  audit: { append: "write", recent: "read", page: "read" },
  markers: { read: "read", claim: "write", replace: "write" },
};

/** A store may leave out these methods. */
const optionalMethods: ReadonlySet<string> = new Set<keyof Store["revocations"] | keyof Store["users"]>([
  "snapshotPage",
  "subjectOf",
]);

/** The span of a command. Background work of the issuer, which is part of no request, has none. */
function commandSpan(description: string, command: string): SpanStart {
  const [system = ""] = /^(?:sqlite|redis)\b/.exec(description) ?? ["other"];
  const attributes = { "db.system.name": system, "db.operation.name": command };
  return { name: `holdfast.store.${command}`, kind: "client", parent: "required", attributes };
}

/** Limits calls to a store that sets no deadlines. */
const STORE_DEADLINE_MS = 10_000;
/** A clean-up of millions of rows takes minutes, in short commands between which others run. */
const PRUNE_DEADLINE_MS = 30 * 60_000;

interface CheckedStoreOptions {
  readonly clock: Clock;
  readonly counts: Pick<IssuerCounts, "recordCommand">;
  readonly outage: StoreOutage;
  /** Called when a command found that the record of a session cannot be read. The store itself works. */
  readonly onDamaged: (sessionId: string) => void;
  /** Records a span for each command within another span. */
  readonly tracing?: Tracing | undefined;
}

interface CheckedStore {
  readonly store: Omit<Store, "close">;
  readonly health: () => Omit<IssuerStatus["store"], "description" | "unknownSecret" | "clockDifferenceMs">;
}

type Call = <T>(
  command: readonly [part: StorePart, method?: string],
  access: Access,
  work: () => T | Promise<T>,
) => Promise<T>;

/** Times, counts and traces calls to the store, and keeps its health. */
function createCalls(
  { description }: Store,
  { clock, counts, outage, onDamaged, tracing }: CheckedStoreOptions,
): { readonly call: Call; readonly health: CheckedStore["health"] } {
  let lastError: string | null = null;
  let writeFailure: IssuerStatus["store"]["writeFailure"] = null;

  const call: Call = async ([part, method], access, work) => {
    const command = method === undefined ? part : `${part}.${method}`;
    const startedAt = clock.monotonic();
    const record = (outcome: "ok" | "failed") => {
      const durationMs = clock.monotonic() - startedAt;
      counts.recordCommand(part, outcome, durationMs);
      if (!commandEvents.hasSubscribers) return;
      commandEvents.publish({ store: description, command, outcome, durationMs });
    };
    const deadlineMs = part === "prune" ? PRUNE_DEADLINE_MS : STORE_DEADLINE_MS;
    const start = async () => await work();
    const run = async () => await withTimeLimit(clock, `the store's ${command}()`, deadlineMs, start());
    try {
      const answer = await withSpan(tracing, () => commandSpan(description, command), run);
      record("ok");
      lastError = null;
      if (access === "write") writeFailure = null;
      outage.recordSuccess(access);
      return answer;
    } catch (error) {
      // The store has refused an argument, so it works.
      if (isHoldfastError(error, "invalid_option")) {
        record("ok");
        throw error;
      }
      record("failed");
      const damaged = damagedSessionId(error);
      if (damaged !== null) {
        onDamaged(damaged);
        throw error;
      }
      const failure = toStoreError(error, `${command}()`);
      outage.recordFailure(access, failure.message);
      lastError = failure.message;
      if (access === "write") {
        writeFailure = { code: failure.code, message: failure.message, at: clock.now() };
      }
      throw failure;
    }
  };
  return { call, health: () => ({ reachable: lastError === null, lastError, writeFailure }) };
}

/**
 * Wraps the store for the issuer. Throws `missing_method` when the store lacks a method. Methods of the store may return
 * plain values instead of promises. Errors without a `store_…` code and calls past the deadline become `store_unavailable`. The
 * outage learns the outcome of every call.
 */
export function openCheckedStore(store: Store, options: CheckedStoreOptions): CheckedStore {
  const { call, health } = createCalls(store, options);

  function wrapPart<P extends PartWithMethods>(name: P): Store[P] {
    const part = store[name] as unknown as Record<string, (...args: unknown[]) => unknown>;
    const methods = Object.entries<Access>(storeMethods[name]).filter(
      ([method]) => part?.[method] !== undefined || !optionalMethods.has(method),
    );
    const names = methods.map(([method]) => method);
    requireMethods("issuer", `store.${name}`, part, names);
    const wrapped = methods.map(([method, access]) => [
      method,
      async (...args: unknown[]) => await call([name, method], access, () => part[method]?.(...args)),
    ]);
    return Object.fromEntries(wrapped) as Store[P];
  }

  requireMethods("issuer", "store", store, ["now", "prune"]);
  const { attempts } = store;
  if (attempts !== undefined) requireMethods("issuer", "store.attempts", attempts, ["add"]);
  return {
    health,
    store: {
      description: store.description,
      users: wrapPart("users"),
      sessions: wrapPart("sessions"),
      keys: wrapPart("keys"),
      revocations: {
        ...wrapPart("revocations"),
        subscribe: (listener) => store.revocations.subscribe(listener),
      },
      audit: wrapPart("audit"),
      markers: wrapPart("markers"),
      // Login limits go on without it, so its failures say nothing about the health of the store.
      ...(attempts !== undefined && { attempts }),
      metrics: () => store.metrics?.() ?? [],
      now: async () => await call(["now"], "read", async () => await store.now()),
      prune: async () => await call(["prune"], "write", async () => await store.prune()),
    },
  };
}

function toStoreError(error: unknown, what: string): HoldfastError {
  if (isHoldfastError(error) && error.code.startsWith("store_")) return error;
  return new HoldfastError("store_unavailable", `the store failed at ${what}`, { cause: error });
}
