import { HoldfastError } from "../../core/errors.ts";
import { invalidOption, readString } from "../../core/options.ts";

/** Who we are to the authority. */
export interface ClientAuthenticationOptions {
  /**
   * How that is shown: HTTP Basic, `client_id` and `client_secret` in the body (RFC 6749 §2.3.1), or a bearer token.
   * Default `"bearer"` where there is a `bearerToken`, else `"basic"`.
   */
  auth?: "basic" | "post" | "bearer";
  clientId?: string;
  clientSecret?: string;
  /** Or a function that is asked for it each time. */
  bearerToken?: string | (() => string | Promise<string>);
}

/** What goes into a request to say who asks. */
interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  /** Parameters of the body. */
  readonly body: Readonly<Record<string, string>>;
}

/** Rejects with whatever a `bearerToken` function rejects with, or with `upstream_failed` for what is no token. */
export type ClientAuthentication = () => Promise<Credentials>;

/** As a header can carry it. */
const visibleAscii = /^[\x21-\x7e]+$/;

/** Throws `invalid_option`, naming `owner` and the option, never a value. */
export function createClientAuthentication(
  owner: string,
  options: ClientAuthenticationOptions,
): ClientAuthentication {
  const { clientId, clientSecret, bearerToken } = options;
  const { auth = bearerToken === undefined ? "basic" : "bearer" } = options;
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

/** RFC 6749 §2.3.1: both are form-encoded before they are joined. */
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
    throw invalidOption(`${owner}: bearerToken`, "a token of visible ASCII, or a function", token);
  }
  return async () => {
    const current = typeof token === "function" ? await token() : token;
    if (typeof current !== "string" || !visibleAscii.test(current)) {
      throw new HoldfastError("upstream_failed", "bearerToken gave no token of visible ASCII");
    }
    return { headers: { authorization: `Bearer ${current}` }, body: {} };
  };
}
