import type { CloseError } from "../../connections/index.ts";
import { invalidOption } from "../../core/options.ts";

/** How a connection is about to be closed. */
export interface SocketClosing {
  /** The close code of Holdfast. */
  readonly code: number;
  readonly error: CloseError;
}

/** How the messages about the token fit into the protocol of the application. */
export interface MessageOptions {
  /**
   * Whether the server sends messages about the token, and reads those of the client. A subprotocol with a fixed set of
   * messages needs `false`. Default: true, and false for the subprotocols of GraphQL.
   */
  messages?: boolean;
  /** Returns the close code to send. Default: the codes of Holdfast, and those of GraphQL for its subprotocols. */
  closeCode?: (closing: SocketClosing) => number;
}

/** The names of the options. */
export const messageOptionNames: readonly string[] = ["messages", "closeCode"];

/** Checks the options. Throws `invalid_option`. */
export function readMessageOptions({
  messages,
  closeCode,
}: {
  readonly [Name in keyof MessageOptions]: MessageOptions[Name] | undefined;
}): MessageOptions {
  if (messages !== undefined && typeof messages !== "boolean") {
    throw invalidOption("protect: messages", "true or false", messages);
  }
  if (closeCode !== undefined && typeof closeCode !== "function") {
    throw invalidOption("protect: closeCode", "a function", closeCode);
  }
  return { ...(messages !== undefined && { messages }), ...(closeCode !== undefined && { closeCode }) };
}

/** The subprotocols of `graphql-ws` and of its predecessor. Their clients close a socket with another message. */
const graphqlSubprotocols: ReadonlySet<string> = new Set(["graphql-transport-ws", "graphql-ws"]);

/**
 * The close codes that a client of `graphql-ws` understands as Holdfast means them. The client gives up after
 * 4401. It connects again after the others, with new `connectionParams`.
 */
export function graphqlCloseCode({ code, error }: SocketClosing): number {
  if (error === "token_missing") return 4408;
  if (error === "token_expired") return 4403;
  return code < 4500 ? 1013 : 4401;
}

/** The settings for one socket, whose subprotocol is known. */
export function settingsFor(
  { messages, closeCode }: MessageOptions,
  subprotocol: string | undefined,
): { readonly hasMessages: boolean; readonly closeCode: (closing: SocketClosing) => number } {
  const isGraphql = subprotocol !== undefined && graphqlSubprotocols.has(subprotocol);
  return {
    hasMessages: messages ?? !isGraphql,
    closeCode: closeCode ?? (isGraphql ? graphqlCloseCode : ({ code }) => code),
  };
}
