import { copyRules, type Rules } from "../../core/rules.ts";
import { rejectUnknownOptions, requireMethods } from "../../core/options.ts";
import type { ConnectionHandle, Connections, SocketTransport } from "../../connections/index.ts";
import type { Admission } from "../../guard/types.ts";
import {
  createRefusalResponse,
  type HandshakeResponse,
  type HandshakeRefusal,
} from "./handshake-response.ts";
import { TokenExtractor } from "./token-extractor.ts";
import type { HandshakeRequest } from "./strip-tokens.ts";
import type { TokenFrom } from "./token-from.ts";

/** The rules of an endpoint for connections, and how its clients send their token. */
export interface ProtectOptions extends Rules {
  tokenFrom?: TokenFrom;
}

/** A handshake that becomes a connection. */
export type Accepted<C> =
  | {
      readonly status: "admitted";
      readonly admission: Admission<C>;
      /** Why it is let in without the authority, to be declared (law 10); else `null`. */
      readonly degraded: string | null;
    }
  /** Its token comes in the first message. */
  | { readonly status: "expected"; readonly degraded: null };

/** What comes of a handshake. `aborted`: the client did not wait for the answer. */
export type HandshakeOutcome<C> =
  | Accepted<C>
  | { readonly status: "refused"; readonly response: HandshakeResponse }
  | { readonly status: "aborted" };

/** The side of a client that can go away while its token is checked. */
export interface HandshakePeer {
  readonly destroyed: boolean;
  once(event: "end" | "close", listener: () => void): unknown;
  off(event: "end" | "close", listener: () => void): unknown;
}

/** What every `protect` for connections does: reads the token, asks whether it may come in, and lets it. */
export class HandshakeAuthorizer<C> {
  /** How clients send their token. */
  readonly tokenExtractor: TokenExtractor;
  readonly #connections: Connections<C>;
  readonly #rules: Rules;

  /** Throws `invalid_option` or `missing_method`, naming what is wrong. Options are copied. */
  constructor(connections: Connections<C>, options: ProtectOptions) {
    requireMethods("protect", "connections", connections, ["admit", "open", "expect"]);
    rejectUnknownOptions("protect: options", options, [
      "scopes",
      "maxRevocationAgeMs",
      "degraded",
      "tokenFrom",
    ]);
    const { tokenFrom, ...rules } = options;
    this.#connections = connections;
    this.#rules = copyRules("protect", rules);
    this.tokenExtractor = new TokenExtractor(tokenFrom);
  }

  /** Before the upgrade. Never rejects. A client that goes away ends its question. */
  async decide(request: HandshakeRequest, peer: HandshakePeer | undefined): Promise<HandshakeOutcome<C>> {
    const extracted = this.tokenExtractor.extract(request);
    if (extracted.status === "token") return await this.#admit(extracted.token, peer);
    if (extracted.status === "none" && this.tokenExtractor.firstMessage)
      return { status: "expected", degraded: null };
    return this.#refuse(extracted);
  }

  async #admit(token: string, peer: HandshakePeer | undefined): Promise<HandshakeOutcome<C>> {
    const clientGone = new AbortController();
    const abort = () => clientGone.abort();
    if (peer?.destroyed === true) abort();
    peer?.once("end", abort);
    peer?.once("close", abort);
    try {
      const outcome = await this.#connections.admit(token, { ...this.#rules, signal: clientGone.signal });
      if (outcome.status !== "admitted") return this.#refuse(outcome);
      const decision = outcome.current();
      if (decision.status !== "valid") return this.#refuse(decision);
      return { status: "admitted", admission: outcome, degraded: decision.degraded?.cause ?? null };
    } catch {
      if (clientGone.signal.aborted) return { status: "aborted" };
      // Who fails has not found out anything.
      return this.#refuse({ status: "unavailable", cause: "closed", retryAfterMs: 1000 });
    } finally {
      peer?.off("end", abort);
      peer?.off("close", abort);
    }
  }

  #refuse(refused: HandshakeRefusal): HandshakeOutcome<C> {
    return { status: "refused", response: createRefusalResponse(refused, this.#rules.scopes) };
  }

  /** After the upgrade. What happened since then counts: the connection may be closed already. */
  connect(transport: SocketTransport, accepted: Accepted<C>): ConnectionHandle<C> {
    return accepted.status === "admitted"
      ? this.#connections.open(transport, accepted.admission, this.#rules)
      : this.#connections.expect(transport, this.#rules);
  }
}
