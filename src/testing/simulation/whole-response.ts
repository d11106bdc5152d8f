const RealResponse = globalThis.Response;

/** A body that is in memory as a whole. */
type WholeBody = string | Uint8Array<ArrayBuffer> | null;

/** The statuses of responses without a body (Fetch §2.2.3). */
export const BODILESS: ReadonlySet<number> = new Set([101, 204, 205, 304]);

/**
 * A `Response` whose body is in memory. It makes the web stream only for a caller that reads `body`. The stream takes
 * longer than the rest of a simulated request, and most callers read a text or JSON.
 */
class WholeResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly #body: WholeBody;
  #isUsed = false;
  /** Made when a caller needs a part that this class lacks. It has read the body from then on. */
  #real: Response | null = null;

  constructor(body: WholeBody, status: number, headers: Headers) {
    this.#body = body;
    this.status = status;
    this.headers = headers;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status <= 299;
  }

  get statusText(): string {
    return "";
  }

  get type(): Response["type"] {
    return "default";
  }

  get url(): string {
    return "";
  }

  get redirected(): boolean {
    return false;
  }

  get bodyUsed(): boolean {
    return this.#isUsed || (this.#real?.bodyUsed ?? false);
  }

  get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    return this.#toReal().body;
  }

  async text(): Promise<string> {
    if (!this.#isAtHand) return await this.#toReal().text();
    const body = this.#take();
    // The platform decodes the body as UTF-8, which removes a byte order mark at the beginning.
    if (typeof body === "string") return body.toWellFormed().replace(/^\uFEFF/, "");
    return new TextDecoder().decode(body ?? undefined);
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text()) as unknown;
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await this.arrayBuffer());
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    if (!this.#isAtHand) return await this.#toReal().arrayBuffer();
    const body = this.#take();
    return (typeof body === "string" ? new TextEncoder().encode(body) : new Uint8Array(body ?? [])).buffer;
  }

  async blob(): Promise<Blob> {
    return await this.#toReal().blob();
  }

  async formData(): Promise<FormData> {
    return await this.#toReal().formData();
  }

  clone(): Response {
    if (!this.#isAtHand) return this.#toReal().clone();
    return wholeResponse(this.#body, this.status, new Headers(this.headers));
  }

  /** @internal Takes the body without a copy. `undefined` when it has been read, or a caller has its stream. */
  takeBody(): WholeBody | undefined {
    return this.#isAtHand ? this.#take() : undefined;
  }

  /** Whether nothing has read the body yet. An empty body can be read again, as that of the platform can. */
  get #isAtHand(): boolean {
    return this.#real === null && (!this.#isUsed || this.#body === null);
  }

  #take(): WholeBody {
    this.#isUsed = this.#body !== null;
    return this.#body;
  }

  #toReal(): Response {
    if (this.#real !== null) return this.#real;
    const { status, headers } = this;
    this.#real = new RealResponse(BODILESS.has(status) ? null : this.#body, { status, headers });
    // The methods of the platform then reject, as they do for a body that was read before.
    if (this.#isUsed) void this.#real.arrayBuffer();
    return this.#real;
  }
}

Object.setPrototypeOf(WholeResponse.prototype, RealResponse.prototype);

/** Returns a response whose body is in memory. It keeps `headers`. */
export function wholeResponse(body: WholeBody, status: number, headers: Headers): Response {
  return new WholeResponse(body, status, headers);
}

/** Reads the body of a response, without waiting when it is in memory. */
export function readWhole(response: Response): WholeBody | Promise<WholeBody> {
  const body = response instanceof WholeResponse ? response.takeBody() : undefined;
  return body === undefined ? readStream(response) : body;
}

async function readStream(response: Response): Promise<WholeBody> {
  return new Uint8Array(await response.arrayBuffer());
}

/** Replaces the `Response` of the platform while a world runs. Other bodies than texts make one of the platform. */
export const VirtualResponse: typeof Response = new Proxy(RealResponse, {
  construct(target, values: [body?: unknown, init?: ResponseInit], newTarget): object {
    const [body = null, init = {}] = values;
    const isWhole = newTarget === VirtualResponse && (body === null || typeof body === "string");
    const { status = 200, statusText = "", headers } = init ?? {};
    const isUsual = Number.isInteger(status) && status >= 200 && status <= 599 && statusText === "";
    if (!isWhole || !isUsual || (body !== null && BODILESS.has(status)))
      return Reflect.construct(target, values, newTarget) as object;
    const copy = new Headers(headers);
    if (body !== null && !copy.has("content-type")) copy.set("content-type", "text/plain;charset=UTF-8");
    return new WholeResponse(body, status, copy);
  },
});
