import { onlyKnown, requireMethods } from "../../core/options.ts";
import type { ConnectionLine, Connections, Line } from "../../guard/connections.ts";
import type { Admission, Rules } from "../../guard/types.ts";
import { checkedRules } from "../request-decision.ts";
import { answerTo, type Answer, type Refused } from "./answer.ts";
import { Carriers } from "./carriers.ts";
import type { Handshake } from "./hidden.ts";
import type { TokenFrom } from "./token-from.ts";

/** The rules of an endpoint for connections, and how its clients send their token. */
export interface ProtectOptions extends Rules {
  tokenFrom?: TokenFrom;
}

/** A handshake that becomes a connection. */
export type Welcome<C> =
  | {
      readonly status: "admitted";
      readonly admission: Admission<C>;
      /** Why it is let in without the authority, to be declared (law 10); else `null`. */
      readonly degraded: string | null;
    }
  /** Its token comes in the first message. */
  | { readonly status: "expected"; readonly degraded: null };

/** What comes of a handshake. `gone`: the client did not wait for the answer. */
export type Outcome<C> =
  | Welcome<C>
  | { readonly status: "refused"; readonly answer: Answer }
  | { readonly status: "gone" };

/** The side of a client that can go away while its token is checked. */
export interface Peer {
  readonly destroyed: boolean;
  once(event: "end" | "close", listener: () => void): unknown;
  off(event: "end" | "close", listener: () => void): unknown;
}

/** What every `protect` for connections does: reads the token, asks whether it may come in, and lets it. */
export class Entrance<C> {
  /** How clients send their token. */
  readonly carriers: Carriers;
  readonly #connections: Connections<C>;
  readonly #rules: Rules;

  /** Throws `invalid_option` or `missing_method`, naming what is wrong. Options are copied. */
  constructor(connections: Connections<C>, options: ProtectOptions) {
    requireMethods("protect", "connections", connections, ["admit", "open", "expect"]);
    onlyKnown("protect: options", options, ["scopes", "maxRevocationAgeMs", "degraded", "tokenFrom"]);
    const { tokenFrom, ...rules } = options;
    this.#connections = connections;
    this.#rules = checkedRules(rules);
    this.carriers = new Carriers(tokenFrom);
  }

  /** Before the upgrade. Never rejects. A client that goes away ends its question. */
  async decide(request: Handshake, peer: Peer | undefined): Promise<Outcome<C>> {
    const carried = this.carriers.read(request);
    if (carried.status === "token") return await this.#admit(carried.token, peer);
    if (carried.status === "none" && this.carriers.firstMessage)
      return { status: "expected", degraded: null };
    return this.#refuse(carried);
  }

  async #admit(token: string, peer: Peer | undefined): Promise<Outcome<C>> {
    const gone = new AbortController();
    const abort = () => gone.abort();
    if (peer?.destroyed === true) abort();
    peer?.once("end", abort);
    peer?.once("close", abort);
    try {
      const outcome = await this.#connections.admit(token, { ...this.#rules, signal: gone.signal });
      if (outcome.status !== "admitted") return this.#refuse(outcome);
      const decision = outcome.current();
      if (decision.status !== "valid") return this.#refuse(decision);
      return { status: "admitted", admission: outcome, degraded: decision.degraded?.cause ?? null };
    } catch {
      if (gone.signal.aborted) return { status: "gone" };
      // Who fails has not found out anything.
      return this.#refuse({ status: "unavailable", cause: "closed", retryAfterMs: 1000 });
    } finally {
      peer?.off("end", abort);
      peer?.off("close", abort);
    }
  }

  #refuse(refused: Refused): Outcome<C> {
    return { status: "refused", answer: answerTo(refused, this.#rules.scopes) };
  }

  /** After the upgrade. What happened since then counts: the connection may be closed already. */
  enter(line: Line, welcome: Welcome<C>): ConnectionLine<C> {
    return welcome.status === "admitted"
      ? this.#connections.open(line, welcome.admission, this.#rules)
      : this.#connections.expect(line, this.#rules);
  }
}
