import { readBearer } from "../../core/bearer.ts";
import { readCookie, type CookieSettings, type ExtractedToken } from "../../core/request-token.ts";
import { headerLines, stripTokens, type HandshakeRequest, type StrippedTokens } from "./strip-tokens.ts";
import { readTokenFrom, type TokenFrom, type TokenFromSettings } from "./token-from.ts";

const none: ExtractedToken = { status: "none" };
const malformed: ExtractedToken = { status: "malformed" };

/** The parameter of RFC 6750 §2.3. It is refused unless it is enabled, because URLs are logged. */
const ACCESS_TOKEN = "access_token";

/** Visible ASCII. The guard checks the shape of the token. */
const visible = /^[\x21-\x7e]+$/;

/** Reads the token of a handshake in the ways that `tokenFrom` enables. */
export class TokenExtractor {
  readonly #settings: TokenFromSettings;
  /** The parameters of the URL that may hold a token. */
  readonly #parameters: readonly string[];

  /** Throws `invalid_option`, with the name of the member. */
  constructor(tokenFrom?: TokenFrom) {
    this.#settings = readTokenFrom(tokenFrom);
    this.#parameters = [ACCESS_TOKEN, this.#settings.query?.name ?? ACCESS_TOKEN];
  }

  /** Whether a handshake may come without a token, because the first message brings it. */
  get firstMessage(): boolean {
    return this.#settings.firstMessage !== false;
  }

  /** Reads the token in a message of the application's own protocol. `null` when the message has none. */
  readMessage(text: string, isFirst: boolean): string | null {
    const { firstMessage, laterMessages } = this.#settings;
    const read = isFirst ? firstMessage : laterMessages;
    if (typeof read !== "function") return null;
    try {
      const token: unknown = read(text);
      return typeof token === "string" ? token : null;
    } catch {
      return null;
    }
  }

  /** Whether a message of the application's own protocol may have a token. */
  readsMessages(isFirst: boolean): boolean {
    const { firstMessage, laterMessages } = this.#settings;
    return typeof (isFirst ? firstMessage : laterMessages) === "function";
  }

  /** Whether a token may be in the URL. */
  get query(): boolean {
    return this.#settings.query !== null;
  }

  /** Whether a token may be in a cookie. */
  get cookie(): boolean {
    return this.#settings.cookie !== null;
  }

  /** Removes tokens from the URL and the subprotocols before others read them. `extract` still finds them. */
  stripTokens(request: HandshakeRequest): StrippedTokens {
    return stripTokens(request, this.#parameters);
  }

  /** Returns the token of the handshake, and strips it from the request. */
  extract(request: HandshakeRequest): ExtractedToken {
    const { subprotocols, query, offered } = this.stripTokens(request);
    const { authorization, subprotocol, cookie, query: parameter } = this.#settings;
    const explicit = [
      authorization ? readBearer(headerLines(request, "authorization")) : none,
      ...subprotocols.map((entry) => (subprotocol && offered > 0 ? decodeSubprotocol(entry) : malformed)),
      ...query.map(({ name, value }) => (name === parameter?.name ? toExtracted(value) : malformed)),
    ].filter(({ status }) => status !== "none");
    const [only] = explicit;
    // A client must not use more than one way in one request (RFC 6750 §2).
    if (only !== undefined) return explicit.length > 1 ? malformed : only;
    return cookie === null ? none : readPageCookie(request, cookie);
  }
}

function toExtracted(token: string): ExtractedToken {
  return visible.test(token) ? { status: "token", token } : malformed;
}

/** Decodes base64url without padding, in its canonical form (RFC 4648 §3.5, §5). */
function decodeSubprotocol(entry: string): ExtractedToken {
  const bytes = Buffer.from(entry, "base64url");
  // The encoding "latin1" keeps each byte as one character, so that a byte beyond ASCII is not lost.
  return bytes.toString("base64url") === entry ? toExtracted(bytes.toString("latin1")) : malformed;
}

/** Reads the cookie. Browsers send cookies with requests of any page, so only listed origins count. */
function readPageCookie(request: HandshakeRequest, { name, origins }: CookieSettings): ExtractedToken {
  const carried = readCookie(headerLines(request, "cookie"), name);
  if (carried.status === "none") return none;
  // A browser names the origin in each handshake, and cannot add other headers.
  const [origin = "null", ...others] = headerLines(request, "origin");
  return origins.has(origin) && others.length === 0 ? carried : { status: "foreign" };
}
