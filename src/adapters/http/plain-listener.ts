import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  getPlainAnswers,
  type AnswerPlain,
  type PlainHeaders,
  type PlainResponse,
  type RequestBody,
  type RequestFacts,
} from "../../core/plain-http.ts";
import { isReset } from "./client-signal.ts";
import { isPlainHost } from "./request-host.ts";

interface PlainListenerOptions {
  readonly factsOf: (req: IncomingMessage, headers: PlainHeaders) => RequestFacts;
  /** Is called with each response, unless the client has gone. */
  readonly onAnswer?: (path: string, status: number, facts: RequestFacts) => void;
}

/**
 * Returns a function that answers a request without the objects of the Fetch API, which cost more than the answer. It
 * returns false, and does nothing, when only `fetch` of the issuer answers the request.
 */
export function createPlainListener(
  issuer: { readonly fetch: object },
  { factsOf, onAnswer }: PlainListenerOptions,
): (req: IncomingMessage, res: ServerResponse) => boolean {
  const isHost = createHostCheck();
  const respond = async (req: IncomingMessage, res: ServerResponse, path: string, answer: AnswerPlain) => {
    const headers = new NodeHeaders(req.rawHeaders);
    const facts = { ...factsOf(req, headers), signal: signalOf(req, res) };
    const { method = "", url = "" } = req;
    const target = `http://${req.headers.host}${url}`;
    const response = await answer({ method, url: target, headers, body: bodyOf(req) }, facts);
    if (!facts.signal.aborted) onAnswer?.(path, response.status, facts);
    // A timeout of the application may have answered meanwhile.
    if (!res.headersSent) send(res, response);
  };
  return (req, res) => {
    const { method = "", url = "", httpVersionMajor, readableDidRead } = req;
    // A body parser may have emptied the stream, and HTTP/2 has pseudo-headers.
    if (httpVersionMajor !== 1 || readableDidRead) return false;
    const query = url.indexOf("?");
    const path = query === -1 ? url : url.slice(0, query);
    // Read for each request, because an application may replace the method of the issuer.
    const answer = getPlainAnswers(issuer.fetch)?.(method, path);
    if (answer === undefined || !isHost(req.headers.host)) return false;
    // No answer is better than an error that would end the process.
    respond(req, res, path, answer).catch(() => res.destroy());
    return true;
  };
}

/** Returns a function that says whether a URL with this host has it as its host. Most requests have the same host. */
function createHostCheck(): (host: string | undefined) => boolean {
  let known: string | undefined;
  return (host) => {
    if (host === undefined) return false;
    if (host === known) return true;
    if (!isPlainHost(host) || !URL.canParse(`http://${host}/`)) return false;
    known = host;
    return true;
  };
}

/** The headers of Node, joined as `Headers` joins them. `headers` of Node drops the second line of some fields. */
class NodeHeaders implements PlainHeaders {
  readonly #raw: readonly string[];

  constructor(raw: readonly string[]) {
    this.#raw = raw;
  }

  get(name: string): string | null {
    const raw = this.#raw;
    const wanted = name.toLowerCase();
    let found: string | null = null;
    for (let i = 0; i < raw.length; i += 2) {
      const field = raw[i] as string;
      if (field.length !== wanted.length || field.toLowerCase() !== wanted) continue;
      const value = raw[i + 1] as string;
      found = found === null ? value : `${found}${wanted === "cookie" ? "; " : ", "}${value}`;
    }
    return found;
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }
}

function signalOf({ socket }: IncomingMessage, res: ServerResponse): AbortSignal {
  if (isReset(socket)) return AbortSignal.abort();
  const controller = new AbortController();
  res.once("close", () => {
    if (!res.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** The body as Node emits it, without a web stream between. */
function bodyOf(req: IncomingMessage): RequestBody {
  let stop = () => {};
  return {
    read: async (take) =>
      await new Promise((resolve, reject) => {
        const onData = (part: Uint8Array) => {
          try {
            take(part);
          } catch (error) {
            reject(error);
          }
        };
        const onEnd = () => {
          stop();
          resolve();
        };
        const onLoss = () => {
          stop();
          reject(new Error("the connection ended before the body"));
        };
        stop = () => req.off("data", onData).off("end", onEnd).off("error", onLoss).off("close", onLoss);
        // A body parser has read an empty body to its end.
        if (req.readableEnded) onEnd();
        else if (req.destroyed) onLoss();
        else req.on("data", onData).on("end", onEnd).on("error", onLoss).on("close", onLoss);
      }),
    // The client reads the answer only while the connection is open. The server limits the rest (`limitUnreadBody`).
    cancel: () => {
      stop();
      req.on("error", () => {}).resume();
    },
  };
}

function send(res: ServerResponse, { status, headers, cookies, body }: PlainResponse): void {
  const all: Record<string, string | readonly string[] | number> = { ...headers };
  if (cookies !== undefined) all["Set-Cookie"] = cookies;
  if (body instanceof ReadableStream) {
    // The client has gone when this fails. The end of the response cancels the stream.
    void pipeline(Readable.fromWeb(body as never), res.writeHead(status, all as never)).catch(() => {});
    return;
  }
  if (status !== 204) all["Content-Length"] = body === null ? 0 : Buffer.byteLength(body);
  res.writeHead(status, all as never).end(body);
}
