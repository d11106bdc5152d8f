import type { Clock } from "../../core/clock.ts";
import type { Entropy } from "../../core/entropy.ts";
import { HoldfastError } from "../../core/errors.ts";
import {
  invalidOption,
  option,
  readString,
  type OptionReader,
  type OptionTable,
} from "../../core/options.ts";
import { describeError } from "../emit.ts";
import { importAssertionKey, signAssertion, type PrivateJwk } from "./client-assertion.ts";

/** A value, or a function that is called for it before each request, so that it can change without a restart. */
export type Renewable<T> = T | (() => T | Promise<T>);

const METHODS = ["basic", "post", "private_key_jwt", "bearer"] as const;

/** How the guard authenticates itself to the authority. */
export interface ClientAuthenticationOptions {
  /**
   * `"basic"` is HTTP Basic, `"post"` sends `client_id` and `client_secret` in the body (RFC 6749 §2.3.1),
   * `"private_key_jwt"` sends a JWT that `privateKey` signs (RFC 7523), `"bearer"` sends `bearerToken` (RFC 6750).
   * Default: `"bearer"` when `bearerToken` is given, `"private_key_jwt"` with `privateKey`, otherwise `"basic"`.
   */
  auth?: (typeof METHODS)[number];
  /** Required for `"basic"`, `"post"` and `"private_key_jwt"`. */
  clientId?: string;
  /** Required for `"basic"` and `"post"`: the secret, or a function that is called for it before each request. */
  clientSecret?: Renewable<string>;
  /**
   * Required for `"private_key_jwt"`: a private JWK with `alg`, and with `kid` where the authority needs it. Or a function
   * that is called for it before each request.
   */
  privateKey?: Renewable<PrivateJwk>;
  /** The `aud` of the JWT of `"private_key_jwt"`. Default: the issuer. Some authorities want the URL of an endpoint. */
  assertionAudience?: string;
  /** Required for `"bearer"`: the token, or a function that is called for it before each request. */
  bearerToken?: Renewable<string>;
}

/** The same options as they are read from a caller: a left-out option is `undefined`. */
export type ClientAuthenticationValues = {
  readonly [Name in keyof ClientAuthenticationOptions]-?: ClientAuthenticationOptions[Name] | undefined;
};

/** The options depend on each other, so `createClientAuthentication` checks them together. */
const unchecked = <T>(): OptionReader<T> => option((_name, value) => value as T);

export const clientAuthenticationOptionTable: OptionTable<ClientAuthenticationValues> = {
  auth: unchecked(),
  clientId: unchecked(),
  clientSecret: unchecked(),
  privateKey: unchecked(),
  assertionAudience: unchecked(),
  bearerToken: unchecked(),
};

/** The parts of a request that authenticate the guard. */
interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  /** Parameters of the request body. */
  readonly body: Readonly<Record<string, string>>;
}

/** The request that needs credentials. */
interface CredentialsContext {
  readonly issuer: string;
  readonly clock: Clock;
  readonly entropy?: Entropy;
}

/**
 * Returns the credentials of the next request. Rejects with `upstream_failed`, naming the option, when the function of an
 * option fails or returns something else.
 */
export type ClientAuthentication = (context: CredentialsContext) => Promise<Credentials>;

/** The characters that a token may have in an `Authorization` header. */
const visibleAscii = /^[\x21-\x7e]+$/;

const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/** Throws `invalid_option` or `invalid_key`, naming `owner` and the option, never a value. */
export function createClientAuthentication(
  owner: string,
  options: Partial<ClientAuthenticationValues>,
): ClientAuthentication {
  const { bearerToken, privateKey } = options;
  const byDefault =
    bearerToken !== undefined ? "bearer" : privateKey !== undefined ? "private_key_jwt" : "basic";
  const { auth = byDefault } = options;
  if (!METHODS.includes(auth)) {
    throw invalidOption(`${owner}: auth`, '"basic", "post", "private_key_jwt" or "bearer"', auth);
  }
  const authentication = prepare(owner, auth, options);
  for (const name of UNUSED_BY[auth]) {
    const value = options[name];
    if (value !== undefined) throw invalidOption(`${owner}: ${name}`, `absent with auth "${auth}"`, value);
  }
  return authentication;
}

function prepare(
  owner: string,
  auth: (typeof METHODS)[number],
  options: Partial<ClientAuthenticationValues>,
): ClientAuthentication {
  const { bearerToken, clientId, clientSecret } = options;
  if (auth === "bearer") {
    return renew(owner, "bearerToken", bearerToken, readBearer, (token) => bearerCredentials(token));
  }
  const id = readString(`${owner}: clientId`, clientId);
  if (auth === "private_key_jwt") return prepareAssertions(owner, id, options);
  const encode = auth === "basic" ? encodeBasic : encodePost;
  return renew(owner, "clientSecret", clientSecret, readString, (secret) => encode(id, secret));
}

/** The options that would have no effect beside a method. */
const UNUSED_BY = {
  basic: ["bearerToken", "privateKey", "assertionAudience"],
  post: ["bearerToken", "privateKey", "assertionAudience"],
  private_key_jwt: ["bearerToken", "clientSecret"],
  bearer: ["clientId", "clientSecret", "privateKey", "assertionAudience"],
} as const;

/** Reads a fixed value once. The value of a function is read before each request. */
function renew<V, T>(
  owner: string,
  name: keyof ClientAuthenticationOptions,
  value: Renewable<V> | undefined,
  read: (name: string, value: unknown) => T,
  encode: (value: T, context: CredentialsContext) => Credentials,
): ClientAuthentication {
  if (typeof value !== "function") {
    const fixed = read(`${owner}: ${name}`, value);
    return async (context) => await Promise.resolve(encode(fixed, context));
  }
  const load = value as () => V | Promise<V>;
  return async (context) => {
    try {
      return encode(read(`${name}()`, await load()), context);
    } catch (error) {
      throw new HoldfastError("upstream_failed", `${name}: ${describeError(error)}`, { cause: error });
    }
  };
}

/** RFC 6749 §2.3.1 form-encodes both parts before it joins them. */
function encodeBasic(id: string, secret: string): Credentials {
  const [formId, formSecret] = [id, secret].map((part) =>
    new URLSearchParams([["", part]]).toString().slice(1),
  );
  const encoded = Buffer.from(`${formId}:${formSecret}`).toString("base64");
  return { headers: { authorization: `Basic ${encoded}` }, body: {} };
}

function encodePost(id: string, secret: string): Credentials {
  return { headers: {}, body: { client_id: id, client_secret: secret } };
}

function bearerCredentials(token: string): Credentials {
  return { headers: { authorization: `Bearer ${token}` }, body: {} };
}

function readBearer(name: string, token: unknown): string {
  if (typeof token === "string" && visibleAscii.test(token)) return token;
  throw invalidOption(name, "a token of visible ASCII characters, or a function that returns one", token);
}

function prepareAssertions(
  owner: string,
  clientId: string,
  { privateKey, assertionAudience }: Partial<ClientAuthenticationValues>,
): ClientAuthentication {
  const fixedAudience =
    assertionAudience === undefined
      ? undefined
      : readString(`${owner}: assertionAudience`, assertionAudience);
  return renew(owner, "privateKey", privateKey, readPrivateKey, (key, { issuer, ...sources }) => ({
    headers: {},
    body: {
      client_id: clientId,
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: signAssertion(key, { clientId, audience: fixedAudience ?? issuer, ...sources }),
    },
  }));
}

function readPrivateKey(name: string, value: unknown): ReturnType<typeof importAssertionKey> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalidOption(name, "a private JWK, or a function that returns one", value);
  }
  return importAssertionKey(name, value as PrivateJwk);
}
