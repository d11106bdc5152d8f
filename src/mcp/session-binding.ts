import { createHash, timingSafeEqual } from "node:crypto";
import { identityKey } from "../connections/identity-key.ts";
import { HmacKey } from "../core/hmac.ts";
import type { ValidVerdict } from "../core/verdict.ts";

/** The length of a MAC: 128 bits in base64url. */
const MAC_CHARS = 22;
const MAX_ID_CHARS = 1_024;

/** Returns whose session it is. A token that names no one has sessions that only the same token can use. */
export function sessionOwner(token: string, verdict: ValidVerdict<unknown>): string {
  return identityKey(verdict) ?? createHash("sha256").update(token).digest("base64url");
}

/**
 * Binds the session ids of an MCP server to the owner of the session. The client gets the id with a MAC over id and owner.
 * The server gets its own id back only from the same owner, in every process that has the secret.
 */
export class SessionBinding {
  readonly #key: HmacKey;

  constructor(secret: Uint8Array) {
    this.#key = new HmacKey("sha256", secret);
  }

  /** Returns the id for the client. */
  bind(id: string, owner: string): string {
    return `${id}.${this.#mac(id, owner)}`;
  }

  /** Returns the id for the server. `null` when the session is not the owner's. */
  unbind(bound: string, owner: string): string | null {
    const dot = bound.length - MAC_CHARS - 1;
    if (bound.length > MAX_ID_CHARS || dot < 1 || bound[dot] !== ".") return null;
    const id = bound.slice(0, dot);
    const presented = Buffer.from(bound.slice(dot + 1));
    const expected = Buffer.from(this.#mac(id, owner));
    return presented.length === expected.length && timingSafeEqual(presented, expected) ? id : null;
  }

  #mac(id: string, owner: string): string {
    const mac = this.#key.digest(JSON.stringify([id, owner]));
    return mac.subarray(0, 16).toString("base64url");
  }
}
