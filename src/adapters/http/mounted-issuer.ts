import type { IncomingMessage, ServerResponse } from "node:http";
import { BlockList } from "node:net";
import { addNetwork } from "../../core/networks.ts";
import { invalidOption, option, readOptions, requireMethods, type OptionTable } from "../../core/options.ts";
import { isReset } from "./client-signal.ts";
import { createAddressReader, forwardedFields, type ForwardedFields } from "./client-address.ts";
import { toRequestListener } from "./fetch-listener.ts";
import { createPlainListener } from "./plain-listener.ts";
import { limitUnreadBody } from "./unread-body.ts";

/** The part of an issuer that is mounted. `createIssuer` of `holdfast/issuer` returns one. */
export interface MountableIssuer {
  readonly name: string;
  /** The paths that it serves. A segment such as `:id` stands for any text. */
  readonly paths: readonly string[];
  fetch(
    request: Request,
    requestInfo?: { source?: string | undefined; signal?: AbortSignal | undefined },
  ): Promise<Response>;
}

/** Options of `mountIssuer`. */
export interface MountOptions {
  /**
   * Addresses and networks of your proxies, such as `10.0.0.0/8`. Their `X-Forwarded-For` or `Forwarded` names the client.
   * Default: none.
   */
  trustedProxies?: readonly string[];
}

/** The members of `MountOptions`. */
const mountOptionTable: OptionTable<{ readonly trustedProxies: BlockList }> = {
  trustedProxies: option((name, value) => {
    const proxies = new BlockList();
    const isList =
      Array.isArray(value) && value.every((one) => typeof one === "string" && addNetwork(proxies, one));
    if (!isList) throw invalidOption(name, "a list of addresses and networks such as 10.0.0.0/8", value);
    return proxies;
  }, new BlockList()),
};

/** An issuer that is mounted in a server. */
export interface MountedIssuer {
  /** Whether the issuer serves this path. A query does not count. */
  readonly serves: (url: string) => boolean;
  readonly addressOf: (peer: string | undefined, fields: ForwardedFields) => string | undefined;
}

/** Checks the issuer and the options. Throws `invalid_option` or `missing_method`. */
export function readMount(issuer: MountableIssuer, options: MountOptions): MountedIssuer {
  requireMethods("mountIssuer", "issuer", issuer, ["fetch"]);
  const { trustedProxies } = readOptions("mountIssuer", options, mountOptionTable);
  const patterns = issuer.paths.map(
    (path) => new RegExp(`^${path.replaceAll(/:\w+/g, "[^/]+").replaceAll(".", "\\.")}$`),
  );
  return {
    serves: (url) => {
      const [path = ""] = url.split("?", 1);
      return patterns.some((pattern) => pattern.test(path));
    },
    addressOf: createAddressReader(issuer.name, trustedProxies, "trustedProxies of mountIssuer"),
  };
}

/** A request of a framework on `node:http`. A body parser may have read its body already. */
type NodeRequest = IncomingMessage & { readonly body?: unknown; rawBody?: unknown };

/** Creates the listener that answers with the issuer. It streams the body, and aborts when the client goes away. */
export function createIssuerListener(
  issuer: MountableIssuer,
  { addressOf }: Pick<MountedIssuer, "addressOf">,
): (req: NodeRequest, res: ServerResponse) => void {
  const listener = toRequestListener(async (request, env) => {
    const { socket } = (env as { incoming: IncomingMessage }).incoming;
    const { headers } = request;
    const signal = isReset(socket) ? AbortSignal.abort() : request.signal;
    return await issuer.fetch(request, {
      source: addressOf(socket.remoteAddress, forwardedFields(headers)),
      signal,
    });
  });
  const answerPlainly = createPlainListener(issuer, {
    factsOf: ({ socket }, fields) => ({ source: addressOf(socket.remoteAddress, forwardedFields(fields)) }),
  });
  return (req, res) => {
    // A stream of HTTP/2 has no socket of its own.
    if (req.httpVersionMajor === 1) limitUnreadBody(req, res);
    if (answerPlainly(req, res)) return;
    // A body parser has emptied the stream. `rawBody` is where the listener looks for the bytes of such a request.
    if (req.readableDidRead && req.body !== undefined && !(req.rawBody instanceof Buffer)) {
      req.rawBody = Buffer.from(unparseBody(req.headers["content-type"], req.body));
    }
    listener(req, res);
  };
}

/** Returns the text that a body parser has read. */
function unparseBody(contentType = "", body: unknown): string | Uint8Array {
  if (typeof body === "string" || body instanceof Uint8Array) return body;
  if (!/^application\/x-www-form-urlencoded\b/i.test(contentType)) return JSON.stringify(body) ?? "";
  const pairs = Object.entries(Object(body) as object).flatMap(([name, value]: [string, unknown]) =>
    [value].flat().map((one): [string, string] => [name, String(one)]),
  );
  return new URLSearchParams(pairs).toString();
}
