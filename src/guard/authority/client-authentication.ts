import { HoldfastError } from "../../core/errors.ts";
import {
  invalidOption,
  option,
  readString,
  type OptionReader,
  type OptionTable,
} from "../../core/options.ts";

/** How the guard authenticates itself to the authority. */
export interface ClientAuthenticationOptions {
  /**
   * `"basic"` is HTTP Basic, `"post"` sends `client_id` and `client_secret` in the body (RFC 6749 §2.3.1), `"bearer"`
   * sends `bearerToken` (RFC 6750). Default: `"bearer"` when `bearerToken` is given, otherwise `"basic"`.
   */
  auth?: "basic" | "post" | "bearer";
  /** Required for `"basic"` and `"post"`. */
  clientId?: string;
  /** Required for `"basic"` and `"post"`. */
  clientSecret?: string;
  /** Required for `"bearer"`: the token, or a function that is called for it before each request. */
  bearerToken?: string | (() => string | Promise<string>);
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
  bearerToken: unchecked(),
};

/** The parts of a request that authenticate the guard. */
interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  /** Parameters of the request body. */
  readonly body: Readonly<Record<string, string>>;
}

/**
 * Returns the credentials of the next request. Rejects with what a `bearerToken` function throws, and with
 * `upstream_failed` when that function returns something other than a token.
 */
export type ClientAuthentication = () => Promise<Credentials>;

/** The characters that a token may have in an `Authorization` header. */
const visibleAscii = /^[\x21-\x7e]+$/;

/** Throws `invalid_option`, naming `owner` and the option, never a value. */
export function createClientAuthentication(
  owner: string,
  { auth: method, clientId, clientSecret, bearerToken }: Partial<ClientAuthenticationValues>,
): ClientAuthentication {
  const auth = method ?? (bearerToken === undefined ? "basic" : "bearer");
  if (auth === "bearer") {
    const credentials = prepareBearer(owner, bearerToken);
    for (const [name, value] of Object.entries({ clientId, clientSecret })) {
      if (value !== undefined) throw invalidOption(`${owner}: ${name}`, 'absent with auth "bearer"', value);
    }
    return credentials;
  }
  if (auth !== "basic" && auth !== "post") {
    throw invalidOption(`${owner}: auth`, '"basic", "post" or "bearer"', auth);
  }
  if (bearerToken !== undefined) {
    throw invalidOption(`${owner}: bearerToken`, `absent with auth "${auth}"`, bearerToken);
  }
  const id = readString(`${owner}: clientId`, clientId);
  const secret = readString(`${owner}: clientSecret`, clientSecret);
  const credentials = auth === "basic" ? encodeBasic(id, secret) : encodePost(id, secret);
  return async () => await Promise.resolve(credentials);
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

function prepareBearer(
  owner: string,
  token: ClientAuthenticationOptions["bearerToken"],
): ClientAuthentication {
  const isFixed = typeof token === "string" && visibleAscii.test(token);
  if (!isFixed && typeof token !== "function") {
    throw invalidOption(
      `${owner}: bearerToken`,
      "a token of visible ASCII characters, or a function that returns one",
      token,
    );
  }
  return async () => {
    const current = typeof token === "function" ? await token() : token;
    if (typeof current !== "string" || !visibleAscii.test(current)) {
      throw new HoldfastError(
        "upstream_failed",
        "bearerToken must return a token of visible ASCII characters",
      );
    }
    return { headers: { authorization: `Bearer ${current}` }, body: {} };
  };
}
