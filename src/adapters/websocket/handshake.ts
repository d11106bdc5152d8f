import { copyRules, ruleNames, scopesToRequest, type Rules } from "../../core/rules.ts";
import { rejectUnknownOptions, requireMethods } from "../../core/options.ts";
import { unavailableVerdict } from "../../core/verdict.ts";
import type { ConnectionHandle, Connections, SocketTransport } from "../../connections/index.ts";
import type { Admission } from "../../guard/types.ts";
import { withClientSignal, type ClientEvents } from "../http/client-signal.ts";
import {
  createRefusalResponse,
  type HandshakeRefusal,
  type HandshakeResponse,
} from "./handshake-response.ts";
import { messageOptionNames, readMessageOptions, type MessageOptions } from "./message-settings.ts";
import { TokenExtractor } from "./token-extractor.ts";
import type { HandshakeRequest } from "./strip-tokens.ts";
import type { TokenFrom } from "./token-from.ts";

/** The rules of an endpoint for connections, and the ways in which its clients may send their token. */
export interface ProtectOptions extends Rules, MessageOptions {
  /** The ways in which a client may send its token. Default: the `Authorization` header and the subprotocol. */
  tokenFrom?: TokenFrom;
}

/** A handshake that becomes a connection. */
export type Accepted<C> =
  | {
      readonly status: "admitted";
      readonly admission: Admission<C>;
      /** The cause of a decision without the authority (law 10). `null` when the authority was not needed or answered. */
      readonly degraded: string | null;
    }
  /** The first message brings the token. */
  | { readonly status: "expected"; readonly degraded: null };

/** The result of a handshake. The status is `aborted` when the client went away before the decision. */
export type HandshakeOutcome<C> =
  | Accepted<C>
  | { readonly status: "refused"; readonly response: HandshakeResponse }
  | { readonly status: "aborted" };

/** The socket of a client that can go away while its token is checked. */
export interface HandshakePeer extends ClientEvents<"end" | "close"> {
  readonly destroyed: boolean;
}

/** Decides on the handshakes of one endpoint, and connects the accepted ones. Each WebSocket adapter uses it. */
export class HandshakeAuthorizer<C> {
  readonly tokenExtractor: TokenExtractor;
  readonly messages: MessageOptions;
  readonly #connections: Connections<C>;
  readonly #rules: Rules;

  /** Copies the options. Throws `invalid_option` or `missing_method`, with the name of the option. */
  constructor(connections: Connections<C>, options: ProtectOptions) {
    requireMethods("protect", "connections", connections, ["admit", "open", "expect"]);
    rejectUnknownOptions("protect: options", options, [...ruleNames, ...messageOptionNames, "tokenFrom"]);
    const { tokenFrom, messages, closeCode, ...rules } = options;
    this.messages = readMessageOptions({ messages, closeCode });
    this.#connections = connections;
    this.#rules = copyRules("protect", rules);
    this.tokenExtractor = new TokenExtractor(tokenFrom);
  }

  /** Decides before the upgrade. A client that goes away aborts its call of the guard. Never rejects. */
  async decide(request: HandshakeRequest, peer: HandshakePeer | undefined): Promise<HandshakeOutcome<C>> {
    const extracted = this.tokenExtractor.extract(request);
    if (extracted.status === "none" && this.tokenExtractor.firstMessage) {
      return { status: "expected", degraded: null };
    }
    if (extracted.status !== "token") return this.#refuse(extracted);
    return await withClientSignal(
      peer,
      ["end", "close"],
      peer?.destroyed === true,
      async (signal) => await this.#admit(extracted.token, signal),
    );
  }

  async #admit(token: string, signal: AbortSignal): Promise<HandshakeOutcome<C>> {
    try {
      const outcome = await this.#connections.admit(token, { ...this.#rules, signal });
      if (outcome.status !== "admitted") return this.#refuse(outcome);
      const decision = outcome.current();
      if (decision.status !== "valid") return this.#refuse(decision);
      return { status: "admitted", admission: outcome, degraded: decision.degraded?.cause ?? null };
    } catch {
      // Connections that fail have decided nothing.
      return signal.aborted ? { status: "aborted" } : this.#refuse(unavailableVerdict("closed"));
    }
  }

  #refuse(refusal: HandshakeRefusal): HandshakeOutcome<C> {
    return { status: "refused", response: createRefusalResponse(refusal, scopesToRequest(this.#rules)) };
  }

  /** Connects after the upgrade. The connection may be closed when this returns, because the token is decided on again. */
  connect(transport: SocketTransport, accepted: Accepted<C>): ConnectionHandle<C> {
    return accepted.status === "admitted"
      ? this.#connections.open(transport, accepted.admission, this.#rules)
      : this.#connections.expect(transport, this.#rules);
  }
}
