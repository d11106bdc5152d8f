import type { LookupFunction } from "node:net";
import { isHoldfastError, HoldfastError } from "../../core/errors.ts";
import { joinedLookup } from "./joined-lookup.ts";
import { toTlsOptions, type RedisAccess, type RedisCredentials } from "./access.ts";

/** How the connections to the servers are made. */
export interface NodeSettings extends RedisAccess {
  readonly random: () => number;
  /** How long a connection to one server may take, TLS included, ms. */
  readonly connectTimeoutMs: number;
  /** A connection without any traffic for so long is replaced, ms. It also bounds the handshake. */
  readonly silenceMs: number;
  /** Ends the connections. The package leaves one open that it was told to close while it connected. */
  readonly signal: AbortSignal;
  /** Called with the credentials that a connection presents. */
  readonly onCredentials: (credentials: RedisCredentials) => void;
  readonly onSentinelCredentials: (credentials: RedisCredentials) => void;
}

/** Commands that may wait for a server that does not answer. */
const MAX_QUEUED_COMMANDS = 10_000;
/** RESP 2: the scripts expect lists where RESP 3 returns maps. */
const RESP = 2 as const;
const RECONNECT_MS = { first: 50, max: 1000 };
/** A silent Sentinel must not use up the time in which the others could answer. */
const MAX_SENTINEL_SILENCE_MS = 2000;
/** Pings in the time after which a silent connection is replaced. An idle connection is not silent. */
const PINGS = 3;
const DEFAULT_PORT = 6379;

interface PlainSocket {
  connectTimeout: number;
  socketTimeout: number;
  lookup: LookupFunction;
  /** An option of `net.connect`, to which the package passes it. */
  signal: AbortSignal;
  reconnectStrategy: (retries: number) => number;
}

interface TlsSocket extends PlainSocket, ReturnType<typeof toTlsOptions> {
  tls: true;
}

interface CredentialOptions {
  username?: string;
  password?: string;
  credentialsProvider?: {
    type: "async-credentials-provider";
    credentials: () => Promise<{ username: string; password: string }>;
  };
}

/** The options of a client that sends the store's commands. */
export interface NodeOptions extends CredentialOptions {
  RESP: typeof RESP;
  disableOfflineQueue: true;
  commandsQueueMaxLength: number;
  pingInterval: number;
  socket: PlainSocket | TlsSocket;
}

/** The options of a client that asks a Sentinel. */
export interface SentinelOptions extends CredentialOptions {
  pingInterval: number;
  socket: PlainSocket | TlsSocket;
}

/** The package's command timeout is off: it does not cover commands already sent, and needs a signal for each one. */
export const COMMAND_OPTIONS: { RESP: 2; commandOptions: { timeout: number } } = {
  RESP,
  commandOptions: { timeout: 0 },
};

/** The options of a client that sends the store's commands to the server, or the servers, of `url`. */
export function nodeOptions(url: URL, settings: NodeSettings): NodeOptions {
  return {
    RESP,
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_QUEUED_COMMANDS,
    pingInterval: Math.ceil(settings.silenceMs / PINGS),
    ...credentialsOptions(url, settings),
    socket: socketOptions(url, settings, settings.silenceMs),
  };
}

/** The options of a client that asks a Sentinel. The Sentinels have credentials of their own, if any. */
export function sentinelOptions(url: URL, settings: NodeSettings): SentinelOptions {
  const silenceMs = Math.min(MAX_SENTINEL_SILENCE_MS, settings.silenceMs);
  return {
    pingInterval: Math.ceil(silenceMs / PINGS),
    ...credentialsOptions(url, {
      credentials: settings.sentinelCredentials,
      onCredentials: settings.onSentinelCredentials,
    }),
    socket: socketOptions(url, { ...settings, tls: settings.sentinelTls ?? settings.tls }, silenceMs),
  };
}

/** The host and port of `url`. An IPv6 address has no brackets. */
export function hostOf(
  { hostname, port }: URL,
  defaultPort: number = DEFAULT_PORT,
): { host: string; port: number } {
  return { host: hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(port || defaultPort) };
}

function socketOptions(
  { protocol }: URL,
  { random, connectTimeoutMs, tls, signal }: NodeSettings,
  silenceMs: number,
): PlainSocket | TlsSocket {
  const socket = {
    connectTimeout: connectTimeoutMs,
    // Without it, a handshake whose answer is lost would wait for ever.
    socketTimeout: silenceMs,
    lookup: joinedLookup,
    signal,
    reconnectStrategy: (retries: number) =>
      Math.min(RECONNECT_MS.max, RECONNECT_MS.first * 2 ** Math.min(retries, 10)) * (0.5 + random() / 2),
  };
  return protocol === "rediss:" ? { ...socket, tls: true as const, ...toTlsOptions(tls ?? {}) } : socket;
}

/** The package asks the provider at the handshake of each connection. */
function credentialsOptions(
  { username, password }: URL,
  { credentials, onCredentials }: Pick<NodeSettings, "credentials" | "onCredentials">,
): CredentialOptions {
  if (credentials === undefined) {
    return {
      ...(username !== "" && { username: decodeURIComponent(username) }),
      ...(password !== "" && { password: decodeURIComponent(password) }),
    };
  }
  const read = async () => {
    const current = await readCredentials(credentials);
    onCredentials(current);
    return { username: current.username ?? "default", password: current.password };
  };
  return { credentialsProvider: { type: "async-credentials-provider" as const, credentials: read } };
}

/** Calls the source. The message of its error may hold a secret, so only that of a `HoldfastError` is told. */
export async function readCredentials(
  source: NonNullable<RedisAccess["credentials"]>,
): Promise<RedisCredentials> {
  try {
    const credentials = await source();
    if (typeof credentials.password === "string") return credentials;
  } catch (error) {
    if (isHoldfastError(error)) throw error;
    const { code, name } = error as { code?: unknown; name?: unknown };
    const why = `the function credentials failed (${String(code ?? name)})`;
    throw new HoldfastError("store_unavailable", why, { cause: error });
  }
  throw new HoldfastError("store_unavailable", "the function credentials returned no password");
}
