import { readBearer, type PresentedToken } from "../../core/bearer.ts";
import { headerLines, stripTokens, type HandshakeRequest, type StrippedTokens } from "./strip-tokens.ts";
import { tokenFromSettings, type TokenFrom, type TokenFromSettings } from "./token-from.ts";

/** What a handshake brought. `foreign`: a cookie, from a page that is not on the list: 403. */
export type ExtractedToken = PresentedToken | { readonly status: "foreign" };

const none: ExtractedToken = { status: "none" };
const malformed: ExtractedToken = { status: "malformed" };

/** The parameter of RFC 6750 §2.3: refused where it is not asked for, so that nobody gets used to it. */
const ACCESS_TOKEN = "access_token";

/** What tokens are made of: no control characters, no spaces, ASCII. Their shape is for the guard to judge. */
const visible = /^[\x21-\x7e]+$/;

/** Reads the token of a handshake by the carriers that `tokenFrom` enables. */
export class TokenExtractor {
  readonly #settings: TokenFromSettings;
  /** Parameters that hold a token, or would. */
  readonly #parameters: readonly string[];

  /** Throws `invalid_option`, naming the option. */
  constructor(tokenFrom?: TokenFrom) {
    this.#settings = tokenFromSettings(tokenFrom);
    this.#parameters = [ACCESS_TOKEN, this.#settings.query ?? ACCESS_TOKEN];
  }

  /** Whether a handshake may come without a token. */
  get firstMessage(): boolean {
    return this.#settings.firstMessage;
  }

  /** Whether a token may be in the URL. */
  get query(): boolean {
    return this.#settings.query !== null;
  }

  /** Whether a token may be in a cookie. */
  get cookie(): boolean {
    return this.#settings.cookie !== null;
  }

  /** Takes tokens out of the URL and the subprotocols, before anybody else reads these. `read` finds them still. */
  stripTokens(request: HandshakeRequest): StrippedTokens {
    return stripTokens(request, this.#parameters);
  }

  /** What `request` brought. Hides first. */
  extract(request: HandshakeRequest): ExtractedToken {
    const { subprotocols, query, offered } = this.stripTokens(request);
    const { authorization, subprotocol, cookie } = this.#settings;
    const explicit = [
      authorization ? readBearer(headerLines(request, "authorization")) : none,
      ...subprotocols.map((entry) => (subprotocol && offered > 0 ? decodeSubprotocol(entry) : malformed)),
      ...query.map(({ name, value }) => (name === this.#settings.query ? toExtracted(value) : malformed)),
    ].filter(({ status }) => status !== "none");
    const [only] = explicit;
    // RFC 6750 §2: not more than one way in a request.
    if (only !== undefined) return explicit.length > 1 ? malformed : only;
    return cookie === null ? none : readCookie(request, cookie);
  }
}

function toExtracted(token: string): ExtractedToken {
  return visible.test(token) ? { status: "token", token } : malformed;
}

/** Base64url without padding, in its only spelling (RFC 4648 §3.5, §5). */
function decodeSubprotocol(entry: string): ExtractedToken {
  const bytes = Buffer.from(entry, "base64url");
  // "latin1" keeps every byte one character, so that none beyond ASCII gets lost.
  return bytes.toString("base64url") === entry ? toExtracted(bytes.toString("latin1")) : malformed;
}

/** Browsers send cookies whoever's page asks, so only the pages on the list get theirs read. */
function readCookie(
  request: HandshakeRequest,
  { name, origins }: NonNullable<TokenFromSettings["cookie"]>,
): ExtractedToken {
  const values = headerLines(request, "cookie")
    .flatMap((line) => line.split(";"))
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
  const [value] = values;
  if (value === undefined) return none;
  const [origin = "null", ...others] = headerLines(request, "origin");
  if (!origins.has(origin) || others.length > 0) return { status: "foreign" };
  return values.length > 1 ? malformed : toExtracted(value);
}
