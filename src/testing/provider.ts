import { systemClock, type Clock } from "../core/clock.ts";
import {
  invalidOption,
  rejectUnknownOptions,
  requireMethods,
  readString,
  readWholeNumber,
} from "../core/options.ts";
import { asymmetricAlgorithms, type Algorithm } from "../jwt/algorithms.ts";
import type { Jwk } from "../jwt/sign.ts";
import type { MintOptions } from "./mint.ts";
import { endpointPath, type ProviderState } from "./provider/endpoints.ts";
import { Faults, type Endpoint, type Fault } from "./provider/fault.ts";
import { RequestHandler, type RequestCounts } from "./provider/request-handler.ts";
import { ProviderTokens } from "./provider/tokens.ts";
import { createFetch, listenOn, type HandleRequest, type ProviderServer } from "./provider/transport.ts";
import { seededRandom } from "./random.ts";

export interface ProviderOptions {
  /** `iss` of the tokens. Default: where it listens, `https://id.example.com` until then. */
  issuer?: string;
  /** `aud` of the tokens. */
  audience: string | readonly string[];
  /** Asymmetric. Default `ES256`. */
  algorithm?: Algorithm;
  /** Life of a token. Default 600,000. */
  lifetimeMs?: number;
  /** The first signing key, as another provider's `privateJwk`: the same provider, started again. */
  key?: Readonly<Record<string, unknown>>;
  /** Who may ask about tokens. Defaults `"guard"`, `"secret-of-the-guard"`, `"bearer-of-the-guard"`. */
  clientId?: string;
  clientSecret?: string;
  bearer?: string;
  /** `Cache-Control` of the key set; `null` for none. Default `"max-age=300"`. */
  jwksCacheControl?: string | null;
  /** Latencies run on it. */
  clock?: Clock;
  /** Decides which requests a fault with a probability strikes. Default: the same numbers each time. */
  random?: () => number;
}

/**
 * Somebody else's authorization server: metadata (OpenID Connect Discovery, RFC 8414), key set, introspection
 * (RFC 7662) and `POST /auth/validate`, with faults that can be switched on and off.
 */
export interface Provider {
  /** Can be set, to the address of a proxy in front: tokens and metadata carry it from then on. */
  issuer: string;
  jwksCacheControl: string | null;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly bearer: string;
  /** Of the key that signs. */
  readonly kid: string;
  readonly privateJwk: Jwk;
  /** Address of an endpoint: where it listens, else at the issuer. */
  url(endpoint: Endpoint): string;
  /** A JWT; `claims` and `header` replace members, `undefined` leaves one out. */
  token(claims?: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): string;
  /** A token that only introspection and validation can tell anything of. */
  opaqueToken(claims?: Readonly<Record<string, unknown>>): string;
  /** Ends a token, or all that have this `jti`, `sid` or `sub`. */
  revoke(id: string): void;
  jwks(): { keys: Jwk[] };
  /** Publishes the key that signs next. Resolves with its `kid`. */
  publishNext(): Promise<string>;
  /** Signs with the next key, published now if it was not; the earlier ones stay published. Resolves with its `kid`. */
  rotate(): Promise<string>;
  /** Takes a key out of the set. */
  vanish(kid: string): void;
  /** Strikes the endpoint's requests from now on, in place of an earlier fault. Throws `invalid_option`. */
  fault(endpoint: Endpoint | "all", fault: Fault): void;
  /** Lifts faults. Requests that hang are answered now. */
  restore(endpoint?: Endpoint | "all"): void;
  counts(endpoint: Endpoint): RequestCounts;
  resetCounts(): void;
  /** The provider without a network: to be injected as `fetch`. */
  readonly fetch: (url: string | URL, init?: RequestInit) => Promise<Response>;
  /** Listens on 127.0.0.1, by default on a free port. Resolves with the base address. */
  listen(port?: number): Promise<string>;
  /** Stops listening, cutting what is under way. It can listen again. */
  close(): Promise<void>;
}

/** Makes a provider and its first key. Throws `invalid_option`, `missing_method` or `invalid_key`. */
export async function createProvider(options: ProviderOptions): Promise<Provider> {
  const { mint, desk: said, random } = readProviderOptions(options);
  const tokens = new ProviderTokens(mint);
  await tokens.publishNext();
  const desk: ProviderState = { ...said, tokens };
  const faults = new Faults(random);
  const front = new RequestHandler(desk, faults, mint.clock);
  const handle: HandleRequest = async (request, signal) => await front.handle(request, signal);
  let named = options.issuer !== undefined;
  let listening: ProviderServer | undefined;
  return {
    get issuer() {
      return desk.issuer;
    },
    set issuer(issuer) {
      desk.issuer = url("issuer", issuer);
      named = true;
    },
    get jwksCacheControl() {
      return desk.jwksCacheControl;
    },
    set jwksCacheControl(value) {
      desk.jwksCacheControl = value;
    },
    get kid() {
      return tokens.signing.kid;
    },
    get privateJwk() {
      return tokens.signing.mint.privateJwk as Jwk;
    },
    clientId: desk.clientId,
    clientSecret: desk.clientSecret,
    bearer: desk.bearer,
    url: (endpoint) => (listening?.url ?? new URL(desk.issuer).origin) + endpointPath(endpoint, desk.issuer),
    token: (claims, header) => tokens.signing.mint.token({ iss: desk.issuer, ...claims }, header),
    opaqueToken: (claims = {}) => tokens.createOpaque({ iss: desk.issuer, ...claims }),
    revoke: (id) => tokens.revoke(readString("revoke: id", id)),
    jwks: () => tokens.published(),
    publishNext: async () => await tokens.publishNext(),
    rotate: async () => await tokens.rotate(),
    vanish: (kid) => tokens.vanish(kid),
    fault: (endpoint, fault) => faults.set(endpoint, fault),
    restore: (endpoint = "all") => faults.clear(endpoint),
    counts: (endpoint) => front.counts(endpoint),
    resetCounts: () => front.resetCounts(),
    fetch: createFetch(handle),
    async listen(port) {
      listening = await listenOn(readWholeNumber("port", port, { default: 0, min: 0, max: 65_535 }), handle);
      if (!named) desk.issuer = listening.url;
      return listening.url;
    },
    async close() {
      const server = listening?.server;
      listening = undefined;
      const closed = server?.[Symbol.asyncDispose]();
      server?.closeAllConnections();
      await closed;
    },
  };
}

const known = Object.keys({
  issuer: 0,
  audience: 0,
  algorithm: 0,
  lifetimeMs: 0,
  key: 0,
  clientId: 0,
  clientSecret: 0,
  bearer: 0,
  jwksCacheControl: 0,
  clock: 0,
  random: 0,
} satisfies Record<keyof ProviderOptions, 0>);

function readProviderOptions(options: ProviderOptions): {
  mint: MintOptions & { clock: Clock };
  desk: Omit<ProviderState, "tokens">;
  random: () => number;
} {
  rejectUnknownOptions("createProvider", options, known);
  const { audience, algorithm = "ES256", lifetimeMs, key, jwksCacheControl = "max-age=300" } = options;
  const { clock = systemClock, random = seededRandom(1) } = options;
  requireMethods("createProvider", "clock", clock, ["now", "monotonic", "after"]);
  if (typeof random !== "function") throw invalidOption("random", "a function", random);
  if (!asymmetricAlgorithms.includes(algorithm)) {
    throw invalidOption("algorithm", `one of ${asymmetricAlgorithms.join(", ")}`, algorithm);
  }
  const issuer = url("issuer", options.issuer ?? "https://id.example.com");
  const lifeMs = readWholeNumber("lifetimeMs", lifetimeMs, { default: 600_000, min: 1 });
  return {
    mint: { issuer, audience, algorithm, lifetimeMs: lifeMs, clock, key },
    desk: {
      issuer,
      algorithm,
      clientId: readString("clientId", options.clientId ?? "guard"),
      clientSecret: readString("clientSecret", options.clientSecret ?? "secret-of-the-guard"),
      bearer: readString("bearer", options.bearer ?? "bearer-of-the-guard"),
      jwksCacheControl,
    },
    random,
  };
}

function url(name: string, value: unknown): string {
  if (!URL.canParse(readString(name, value))) throw invalidOption(name, "a URL", value);
  return value as string;
}
