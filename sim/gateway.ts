import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { BlockList } from "node:net";
import { createGateway } from "../src/gateway/gateway.ts";
import { parsePathPattern, type PathPolicy } from "../src/gateway/policy.ts";
import type { Guard } from "../src/guard/types.ts";
import type { ProcessContext } from "../src/testing/simulation/index.ts";
import type { Rules } from "../src/core/rules.ts";
import { GATEWAY_HOST } from "./addresses.ts";
import type { Recorder } from "./recorder.ts";
import type { GuardFacts } from "./sockets/server-socket.ts";

/** The address of the proxy, which the gateway trusts. */
const PROXY_ADDRESS = "192.0.2.80";
/** The bound of the path that asks for a younger view of revocations than the guard. */
const FRESH_VIEW_MS = 10_000;

/** The paths of the policy. Each has a rule of its own. */
export type GatewayPath = "/public/page" | "/orders/1" | "/fresh/1" | "/admin/1" | "/nowhere";

const rules: readonly (readonly [path: string, requirements: Rules | null])[] = [
  ["/public/*", null],
  ["/orders/*", {}],
  ["/fresh/*", { maxRevocationAgeMs: FRESH_VIEW_MS }],
  ["/admin/*", { scopes: ["admin"] }],
];

const policy: PathPolicy = rules.map(([text, requirements]) => {
  const path = parsePathPattern(text);
  if (path === null) throw new Error(`"${text}" is no path of a policy`);
  return { host: null, path, methods: null, requirements };
});

/** The parts of a gateway in a simulated service. */
export interface GatewayParts {
  readonly guard: Guard;
  readonly audience: string;
  readonly recorder: Recorder;
  readonly context: ProcessContext;
  readonly facts: GuardFacts;
}

/** Serves `/verify` for a proxy, under a policy, and records each answer. */
export function serveGateway({ guard, audience, recorder, context, facts }: GatewayParts): void {
  const trustedProxies = new BlockList();
  trustedProxies.addAddress(PROXY_ADDRESS);
  const gateway = createGateway(guard, { policy, trustedProxies, audience, clock: context.clock });
  context.listen(GATEWAY_HOST, async (request) => {
    const { headers } = request;
    const path = headers.get("x-original-uri") as GatewayPath;
    const token = headers.get("authorization")?.slice("Bearer ".length);
    const bound = path === "/fresh/1" ? { maxRevocationAgeMs: FRESH_VIEW_MS } : {};
    const answer = recorder.call("verify", {
      ...facts(),
      ...bound,
      path,
      token: token === undefined ? null : recorder.nameOf(token),
      isSpoofed: headers.has("x-auth-subject"),
    });
    const response = await answerOf(gateway, request);
    answer({ status: response.status, subject: response.headers.get("x-auth-subject") });
    return response;
  });
}

/** Calls a listener of node:http with the parts of a request and a response that it uses. */
async function answerOf(listener: RequestListener, request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const rawHeaders = [...request.headers].flat();
  return await new Promise((resolve) => {
    const response = new ResponseParts(resolve);
    const incoming = {
      method: request.method,
      url: `${pathname}${search}`,
      rawHeaders,
      headers: Object.fromEntries(request.headers),
      socket: { remoteAddress: PROXY_ADDRESS },
    };
    request.signal.addEventListener("abort", () => response.leave(), { once: true });
    listener(incoming as unknown as IncomingMessage, response as unknown as ServerResponse);
  });
}

/** The parts of a `ServerResponse` that the gateway uses. */
class ResponseParts {
  closed = false;
  readonly #headers = new Map<string, string>();
  readonly #listeners = new Set<() => void>();
  readonly #resolve: (response: Response) => void;
  #status = 200;

  constructor(resolve: (response: Response) => void) {
    this.#resolve = resolve;
  }

  once(_event: "close", listener: () => void): void {
    this.#listeners.add(listener);
  }

  off(_event: "close", listener: () => void): void {
    this.#listeners.delete(listener);
  }

  /** The proxy has closed its connection. */
  leave(): void {
    this.closed = true;
    for (const listener of this.#listeners) listener();
  }

  setHeader(name: string, value: string): void {
    this.#headers.set(name, value);
  }

  removeHeader(name: string): void {
    this.#headers.delete(name);
  }

  writeHead(status: number, headers: Readonly<Record<string, string | number>> = {}): this {
    this.#status = status;
    for (const [name, value] of Object.entries(headers)) this.#headers.set(name, String(value));
    return this;
  }

  end(text = ""): void {
    this.#headers.delete("Content-Length");
    this.#resolve(new Response(text, { status: this.#status, headers: [...this.#headers] }));
  }
}
