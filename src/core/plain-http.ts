/* Requests and responses as plain records. They cost a server a fraction of `Request`, `Response` and web streams. */

/** The headers of a request. `get` joins several fields of one name as `Headers` does. */
export interface PlainHeaders {
  get(name: string): string | null;
  has(name: string): boolean;
}

export interface RequestBody {
  /**
   * Calls `take` with each part in order, and resolves at the end. Rejects when the body ends early, or with the error
   * that `take` throws.
   */
  read(take: (part: Uint8Array) => void): Promise<void>;
  /** Gives up the rest of the body. */
  cancel(): void;
}

/** The parts of a request that an endpoint reads. */
export interface PlainRequest {
  readonly method: string;
  /** The whole URL. */
  readonly url: string;
  readonly headers: PlainHeaders;
  readonly body: RequestBody;
}

export interface PlainResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The values of `Set-Cookie`. */
  readonly cookies?: readonly string[];
  /** `null` when the response has no body. */
  readonly body: string | ReadableStream<Uint8Array> | null;
}

/** Facts about a request that it does not tell itself. */
export interface RequestFacts {
  readonly source?: string | undefined;
  readonly device?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Answers a request as the `fetch` that it belongs to. Never rejects. */
export type AnswerPlain = (request: PlainRequest, facts: RequestFacts) => Promise<PlainResponse>;

/** Finds what answers requests with this method and path. `undefined` when only `fetch` answers them. */
export type FindAnswer = (method: string, path: string) => AnswerPlain | undefined;

/** Belongs to the function and not to the issuer. An issuer with another `fetch` around it is asked through that one. */
const findAnswer = Symbol("findAnswer");

/** Adds the function by which servers on `node:http` avoid the objects of the Fetch API. Returns `fetch`. */
export function addPlainAnswers<F extends object>(fetch: F, find: FindAnswer): F {
  return Object.defineProperty(fetch, findAnswer, { value: find });
}

/** The function that {@link addPlainAnswers} added. `undefined` for a function around `fetch`. */
export function getPlainAnswers(fetch: object): FindAnswer | undefined {
  return (fetch as { readonly [findAnswer]?: FindAnswer })[findAnswer];
}

/** Reads the body only when an endpoint does. A stream that is opened before takes its chunks one by one. */
export function toPlainRequest(request: Request): PlainRequest {
  const { method, url, headers } = request;
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  const body: RequestBody = {
    async read(take) {
      reader = request.body?.getReader();
      for (let part = await reader?.read(); part?.done === false; part = await reader?.read())
        take(part.value);
    },
    cancel: () => void reader?.cancel().catch(() => undefined),
  };
  return { method, url, headers, body };
}

/** A body that is at hand. */
export function bodyOfText(text: string): RequestBody {
  return {
    async read(take) {
      take(new TextEncoder().encode(text));
      await Promise.resolve();
    },
    cancel: () => {},
  };
}

export function toWebResponse({ status, headers, cookies = [], body }: PlainResponse): Response {
  const response = new Response(body, { status, headers });
  for (const cookie of cookies) response.headers.append("Set-Cookie", cookie);
  return response;
}
