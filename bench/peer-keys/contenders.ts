import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { callbackify } from "node:util";
import { createGuard, fileSnapshots, jwks } from "../../src/index.ts";

/** Verifies a token. Rejects when the library does not accept it. */
export type Verify = (token: string) => Promise<void>;

export interface Contender {
  /** The packages whose versions the row names. Empty for this repository. */
  readonly packages: readonly string[];
  readonly note: string;
  /** Whether the library fetches the keys itself. */
  readonly hasOwnFetcher: boolean;
  /** A new instance, as a process has one after its start. Keys are cached for `cacheMs` where that can be set. */
  readonly open: (issuer: string, cacheMs: number) => Promise<Verify>;
}

export const AUDIENCE = "https://api.example.com";
type Callback = (error: Error | null, value?: unknown) => void;

interface JwksRsa {
  default: (options: object) => {
    getSigningKey(kid: string | undefined): Promise<{ getPublicKey(): string }>;
  };
}

interface JsonWebToken {
  default: {
    verify(
      token: string,
      key: (header: { kid?: string }, done: Callback) => void,
      options: object,
      done: Callback,
    ): void;
  };
}

interface Jose {
  readonly createRemoteJWKSet: (url: URL, options: object) => unknown;
  readonly jwtVerify: (token: string, keys: unknown, options: object) => Promise<unknown>;
}

interface ExpressBearer {
  readonly auth: (options: object) => (req: object, res: object, next: (error?: Error) => void) => void;
}

interface FastJwt {
  readonly createVerifier: (options: object) => (token: string) => Promise<unknown>;
}

interface GetJwks {
  default: (options: object) => { getPublicKey(options: object): Promise<string> };
}

interface AwsJwtVerify {
  JwtVerifier: { create(options: object, more: object): { verify(token: string): Promise<unknown> } };
}

interface AwsJwk {
  SimpleJwksCache: new (options: object) => unknown;
}

/** The libraries, with the packages of a folder. `snapshots` is a folder for what Holdfast keeps over a restart. */
export function contenders(folder: string, snapshots: string): Contender[] {
  const { resolve } = createRequire(join(folder, "package.json"));
  const load = async <T>(name: string) => (await import(pathToFileURL(resolve(name)).href)) as T;
  const keysOf = (issuer: string) => `${issuer}/.well-known/jwks.json`;

  const withJwksRsa = (note: string, more: object): Contender => ({
    packages: ["jwks-rsa", "jsonwebtoken"],
    note,
    hasOwnFetcher: true,
    async open(issuer, cacheMs) {
      const { default: jwksRsa } = await load<JwksRsa>("jwks-rsa");
      const { default: jwt } = await load<JsonWebToken>("jsonwebtoken");
      const client = jwksRsa({ jwksUri: keysOf(issuer), cacheMaxAge: cacheMs, ...more });
      const findKey = callbackify(async ({ kid }: { kid?: string }) => {
        const key = await client.getSigningKey(kid);
        return key.getPublicKey();
      });
      const options = { issuer, audience: AUDIENCE, algorithms: ["RS256"] };
      return async (token) =>
        await new Promise((done, fail) => {
          jwt.verify(token, findKey, options, (error) => (error === null ? done() : fail(error)));
        });
    },
  });

  return [
    {
      packages: [],
      note: "",
      hasOwnFetcher: true,
      async open(issuer, cacheMs) {
        const keys = jwks(keysOf(issuer), { freshMs: cacheMs });
        const guard = createGuard({
          issuer,
          audience: AUDIENCE,
          keys,
          snapshots: fileSnapshots({ dir: snapshots }),
          warnings: false,
        });
        return async (token) => {
          const verdict = await guard.validate(token);
          if (verdict.status === "valid") return;
          const why = verdict.status === "invalid" ? `401 ${verdict.reason}` : `503 ${verdict.cause}`;
          throw Object.assign(new Error(why), { code: why });
        };
      },
    },
    {
      packages: ["jose"],
      note: "",
      hasOwnFetcher: true,
      async open(issuer, cacheMs) {
        const { createRemoteJWKSet, jwtVerify } = await load<Jose>("jose");
        const keys = createRemoteJWKSet(new URL(keysOf(issuer)), { cacheMaxAge: cacheMs });
        return async (token) => void (await jwtVerify(token, keys, { issuer, audience: AUDIENCE }));
      },
    },
    withJwksRsa("", {}),
    withJwksRsa("cacheMaxAgeFallback: 1 h", { cacheMaxAgeFallback: 3_600_000 }),
    {
      packages: ["express-oauth2-jwt-bearer"],
      note: "",
      hasOwnFetcher: true,
      async open(issuer, cacheMs) {
        const { auth } = await load<ExpressBearer>("express-oauth2-jwt-bearer");
        const options = { issuer, jwksUri: keysOf(issuer), audience: AUDIENCE, tokenSigningAlg: "RS256" };
        const middleware = auth({ ...options, cacheMaxAge: cacheMs });
        return async (token) =>
          await new Promise((done, fail) => {
            const headers = { authorization: `Bearer ${token}` };
            const get = () => "localhost";
            const like = { get, is: () => false, protocol: "http", method: "GET", url: "/" };
            const req = { headers, query: {}, body: {}, ...like };
            middleware(req, {}, (error) => (error === undefined ? done() : fail(error)));
          });
      },
    },
    {
      packages: ["fast-jwt", "get-jwks"],
      note: "",
      hasOwnFetcher: true,
      async open(issuer, cacheMs) {
        const { createVerifier } = await load<FastJwt>("fast-jwt");
        const { default: getJwks } = await load<GetJwks>("get-jwks");
        const source = getJwks({ ttl: cacheMs, issuersWhitelist: [issuer] });
        const key = async ({ header }: { header: { kid?: string; alg: string } }) =>
          await source.getPublicKey({ kid: header.kid, alg: header.alg, domain: issuer });
        const verify = createVerifier({
          key,
          allowedIss: issuer,
          allowedAud: AUDIENCE,
          algorithms: ["RS256"],
        });
        return async (token) => void (await verify(token));
      },
    },
    {
      packages: ["aws-jwt-verify"],
      note: "keys are cached without end",
      hasOwnFetcher: false,
      async open(issuer) {
        const { JwtVerifier } = await load<AwsJwtVerify>("aws-jwt-verify");
        const { SimpleJwksCache } = await load<AwsJwk>("aws-jwt-verify/jwk");
        // The library's own fetcher speaks https only.
        const fetcher = { fetch: async (url: string) => await (await fetch(url)).arrayBuffer() };
        const jwksCache = new SimpleJwksCache({ fetcher });
        const options = { issuer, audience: AUDIENCE, jwksUri: keysOf(issuer) };
        const verifier = JwtVerifier.create(options, { jwksCache });
        return async (token) => void (await verifier.verify(token));
      },
    },
  ];
}
