import { type Clock } from "../core/clock.ts";
import {
  clockOption,
  functionOption,
  invalidOption,
  option,
  readOptions,
  readString,
  readWholeNumber,
  wholeOption,
  type OptionTable,
} from "../core/options.ts";
import { asymmetricAlgorithms, type Algorithm } from "../jwt/algorithms.ts";
import type { Jwk } from "../jwt/sign.ts";
import { endpointPath, type ProviderState } from "./provider/endpoints.ts";
import { Faults, type Endpoint, type Fault } from "./provider/fault.ts";
import { RequestHandler, type RequestCounts } from "./provider/request-handler.ts";
import { ProviderTokens } from "./provider/tokens.ts";
import { createFetch, listenOn, type HandleRequest, type ProviderServer } from "./provider/transport.ts";
import { seededRandom } from "./random.ts";

/** Options of `createProvider`. */
export interface ProviderOptions {
  /** `iss` of the tokens. Default: the address it listens on, and `https://id.example.com` before it listens. */
  issuer?: string;
  /** `aud` of the tokens. */
  audience: string | readonly string[];
  /** Signs the tokens. Asymmetric. Default `ES256`. */
  algorithm?: Algorithm;
  /** Lifetime of a token, milliseconds. Default 600,000. */
  lifetimeMs?: number;
  /** The first signing key: the `privateJwk` of an earlier provider, to start the same provider again. */
  key?: Readonly<Record<string, unknown>>;
  /** Client that may introspect and validate tokens. Default `"guard"`. */
  clientId?: string;
  /** Secret of the client. Default `"secret-of-the-guard"`. */
  clientSecret?: string;
  /** Bearer token that authenticates the client as well. Default `"bearer-of-the-guard"`. */
  bearer?: string;
  /** `Cache-Control` of the key set. `null` sends no header. Default `"max-age=300"`. */
  jwksCacheControl?: string | null;
  /** Times token lifetimes and latencies. Default: the system's clock. */
  clock?: Clock;
  /** Decides which requests a fault with a probability hits. Default: the same sequence for each provider. */
  random?: () => number;
}

/**
 * A fake authorization server: metadata (OpenID Connect Discovery, RFC 8414), key set, introspection (RFC 7662) and
 * `POST /auth/validate`. Faults of each endpoint can be switched on and off.
 */
export interface Provider {
  /** `iss` of new tokens and of the metadata. Set it to the address of a proxy in front of the provider. */
  issuer: string;
  /** `Cache-Control` of the key set. `null` sends no header. */
  jwksCacheControl: string | null;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly bearer: string;
  /** `kid` of the key that signs. */
  readonly kid: string;
  /** The key that signs. */
  readonly privateJwk: Jwk;
  /** Address of an endpoint: on the listening address, otherwise at the issuer. */
  url(endpoint: Endpoint): string;
  /** Creates a JWT. `claims` and `header` replace members, and `undefined` removes one. */
  token(claims?: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): string;
  /** Creates an opaque token, which only introspection and validation know. */
  opaqueToken(claims?: Readonly<Record<string, unknown>>): string;
  /** Revokes a token, or all tokens with this `jti`, `sid` or `sub`. */
  revoke(id: string): void;
  jwks(): { keys: Jwk[] };
  /** Publishes the next signing key. Resolves with its `kid`. */
  publishNext(): Promise<string>;
  /** Signs with the next key, publishing it first when needed. Earlier keys stay published. Resolves with its `kid`. */
  rotate(): Promise<string>;
  /** Removes a key from the key set. */
  vanish(kid: string): void;
  /** Sets the fault of an endpoint, in place of an earlier one. Throws `invalid_option`. */
  fault(endpoint: Endpoint | "all", fault: Fault): void;
  /** Ends faults. Requests that hang are answered at once. */
  restore(endpoint?: Endpoint | "all"): void;
  /** Counts of an endpoint's requests. */
  counts(endpoint: Endpoint): RequestCounts;
  resetCounts(): void;
  /** Answers requests without a network. Inject it as `fetch`. */
  readonly fetch: (url: string | URL, init?: RequestInit) => Promise<Response>;
  /** Listens on a port of 127.0.0.1, by default a free one. Resolves with the base address. */
  listen(port?: number): Promise<string>;
  /** Stops listening and closes all connections. The provider can listen again. */
  close(): Promise<void>;
}

const OWNER = "createProvider";

/** The checked options of `createProvider`. */
interface ProviderSettings extends Required<Omit<ProviderOptions, "issuer" | "key">> {
  readonly issuer: string | undefined;
  readonly key: ProviderOptions["key"] | undefined;
}

/** The options of `createProvider`. */
const providerOptionTable: OptionTable<ProviderSettings> = {
  issuer: option((name, value) => (value === undefined ? undefined : readUrl(name, value))),
  // Tests may want any `aud`, also a wrong one.
  audience: option((_name, value) => value as ProviderOptions["audience"]),
  algorithm: option(readAlgorithm, "ES256"),
  lifetimeMs: wholeOption(600_000, 1),
  key: option((_name, value) => value as ProviderOptions["key"]),
  clientId: option(readString, "guard"),
  clientSecret: option(readString, "secret-of-the-guard"),
  bearer: option(readString, "bearer-of-the-guard"),
  jwksCacheControl: option<string | null>((_name, value) => value as string | null, "max-age=300"),
  clock: clockOption(OWNER),
  random: functionOption(() => seededRandom(1)),
};

/**
 * Creates a fake provider and its first signing key. It answers through `fetch` at once and listens only after `listen`.
 *
 * Rejects with `invalid_option`, `missing_method` or `invalid_key`.
 *
 * @example
 * ```ts
 * import { createGuard, jwks } from "holdfast";
 * import { createProvider } from "holdfast/testing";
 *
 * const audience = "https://api.example.com";
 * const provider = await createProvider({ audience });
 * const guard = createGuard({
 *   issuer: provider.issuer,
 *   audience,
 *   keys: jwks(provider.url("jwks"), { fetch: provider.fetch }),
 * });
 *
 * provider.fault("jwks", { status: 503 });
 * const verdict = await guard.validate(provider.token({ sub: "alice" }));
 * console.log(verdict.status); // "unavailable"
 * ```
 */
export async function createProvider(options: ProviderOptions): Promise<Provider> {
  const { issuer = "https://id.example.com", ...settings } = readOptions(OWNER, options, providerOptionTable);
  const { audience, algorithm, lifetimeMs, key, clock, random } = settings;
  const { clientId, clientSecret, bearer, jwksCacheControl } = settings;
  const tokens = new ProviderTokens({ issuer, audience, algorithm, lifetimeMs, key, clock });
  await tokens.publishNext();
  const state: ProviderState = {
    issuer,
    algorithm,
    clientId,
    clientSecret,
    bearer,
    jwksCacheControl,
    tokens,
  };
  const faults = new Faults(random);
  const handler = new RequestHandler(state, faults, clock);
  const handle: HandleRequest = async (request, signal) => await handler.handle(request, signal);
  let hasFixedIssuer = options.issuer !== undefined;
  let server: ProviderServer | undefined;
  return {
    get issuer() {
      return state.issuer;
    },
    set issuer(value) {
      state.issuer = readUrl("issuer", value);
      hasFixedIssuer = true;
    },
    get jwksCacheControl() {
      return state.jwksCacheControl;
    },
    set jwksCacheControl(value) {
      state.jwksCacheControl = value;
    },
    get kid() {
      return tokens.signing.kid;
    },
    get privateJwk() {
      return tokens.signing.mint.privateJwk as Jwk;
    },
    clientId,
    clientSecret,
    bearer,
    url: (endpoint) => (server?.url ?? new URL(state.issuer).origin) + endpointPath(endpoint, state.issuer),
    token: (claims, header) => tokens.signing.mint.token({ iss: state.issuer, ...claims }, header),
    opaqueToken: (claims = {}) => tokens.createOpaque({ iss: state.issuer, ...claims }),
    revoke: (id) => tokens.revoke(readString("revoke: id", id)),
    jwks: () => tokens.published(),
    publishNext: async () => await tokens.publishNext(),
    rotate: async () => await tokens.rotate(),
    vanish: (kid) => tokens.vanish(kid),
    fault: (endpoint, fault) => faults.set(endpoint, fault),
    restore: (endpoint = "all") => faults.clear(endpoint),
    counts: (endpoint) => handler.counts(endpoint),
    resetCounts: () => handler.resetCounts(),
    fetch: createFetch(handle),
    async listen(port) {
      server = await listenOn(readWholeNumber("port", port, { default: 0, min: 0, max: 65_535 }), handle);
      if (!hasFixedIssuer) state.issuer = server.url;
      return server.url;
    },
    async close() {
      const closing = server?.close();
      server = undefined;
      await closing;
    },
  };
}

function readUrl(name: string, value: unknown): string {
  if (!URL.canParse(readString(name, value))) throw invalidOption(name, "a URL", value);
  return value as string;
}

function readAlgorithm(name: string, value: unknown): Algorithm {
  if (asymmetricAlgorithms.includes(value as Algorithm)) return value as Algorithm;
  throw invalidOption(name, `one of ${asymmetricAlgorithms.join(", ")}`, value);
}
