import type { RedisAccess, RedisCredentials, RedisCredentialsSource } from "./access.ts";
import type { Clock } from "../../core/clock.ts";
import type { RedisAddress } from "./address.ts";
import { realServers, type RedisEnvironment } from "./environment.ts";
import type { OpenClient } from "./client-supervisor.ts";
import { MAX_SILENT_TIMEOUTS, RedisConnection, type RedisConnectionOptions } from "./connection.ts";
import { CredentialRenewal } from "./credential-renewal.ts";
import { toStoreError } from "./errors.ts";
import { FailureReason } from "./failure-reason.ts";

/** Where and how to connect. */
export interface OpenConnectionOptions extends Omit<RedisConnectionOptions, "reason" | "networkClock"> {
  /** Default: the real servers. */
  readonly environment?: RedisEnvironment;
  readonly address: RedisAddress;
  readonly access: RedisAccess;
  /** How long one attempt to open lasts. */
  readonly openTimeoutMs: number;
}

/** One server that is not there must not use up the time in which another one could answer. */
const CONNECT_TIMEOUT_MS = { min: 1000, max: 5000 };
/** The event loop may be blocked for a moment, and a Redis on a slow disk may pause for seconds. */
const MIN_SILENCE_MS = 5000;

/** Opens a connection. Rejects with `store_unavailable` after `openTimeoutMs`. */
export async function openConnection(options: OpenConnectionOptions): Promise<RedisConnection> {
  const { open, reason, networkClock, attach } = prepare(options);
  return attach(await RedisConnection.open(open, { ...options, networkClock, reason }));
}

/** Connects in the background. Until it is connected, every command fails at once, and says why. */
export function openConnectionInBackground(options: OpenConnectionOptions): RedisConnection {
  const { open, reason, networkClock, attach } = prepare(options);
  return attach(RedisConnection.openInBackground(open, { ...options, networkClock, reason }));
}

interface PreparedConnection {
  readonly open: OpenClient;
  readonly reason: FailureReason;
  readonly networkClock: Clock;
  /** Lets the connection renew its credentials. */
  readonly attach: (connection: RedisConnection) => RedisConnection;
}

function prepare(options: OpenConnectionOptions): PreparedConnection {
  const { address, access, random, openTimeoutMs, commandTimeoutMs, clock, description } = options;
  const { loadConnect, networkClock } = options.environment ?? realServers;
  const urls = address.kind === "sentinel" ? [address.primary, ...address.nodes] : address.nodes;
  const reason = new FailureReason(urls);
  let presented: RedisCredentials | null = null;
  let renewal: CredentialRenewal | null = null;
  const share = Math.ceil(openTimeoutMs / (address.nodes.length + 1));
  const credentials = withUsername(access.credentials, (urls[0] as URL).username);
  const settings = {
    ...access,
    credentials,
    sentinelCredentials: withUsername(access.sentinelCredentials, address.nodes[0].username),
    random,
    connectTimeoutMs: Math.min(CONNECT_TIMEOUT_MS.max, Math.max(CONNECT_TIMEOUT_MS.min, share)),
    silenceMs: Math.max(MIN_SILENCE_MS, MAX_SILENT_TIMEOUTS * commandTimeoutMs),
    onCredentials(current: RedisCredentials) {
      reason.addSecret(current.password);
      presented = current;
      renewal?.presented(current);
    },
    onSentinelCredentials: (current: RedisCredentials) => reason.addSecret(current.password),
  };
  const open: OpenClient = async (onInterruption, closing) => {
    // A starting process can take seconds to load the package. No server is slow then.
    const connect = await loadConnect();
    const timeout = new AbortController();
    const giveUp = () => timeout.abort(new Error(reason.text ?? `no connection within ${openTimeoutMs} ms`));
    const stop = clock.after(openTimeoutMs, giveUp, true);
    const signal = AbortSignal.any([timeout.signal, closing]);
    try {
      return await connect(address, { ...settings, onInterruption }, signal);
    } catch (error) {
      throw toStoreError(description, error, reason.text);
    } finally {
      stop();
    }
  };
  const attach = (connection: RedisConnection) => {
    if (credentials === undefined) return connection;
    const authenticate = async (command: readonly string[]) => {
      reason.addSecret(command.at(-1) ?? "");
      return await connection.sendToPrimaries(command);
    };
    renewal = new CredentialRenewal(credentials, clock, authenticate);
    if (presented !== null) renewal.presented(presented);
    connection.onClose(() => renewal?.close());
    return connection;
  };
  return { open, reason, networkClock, attach };
}

/** The name in the URL stands for credentials without a name. */
function withUsername(
  source: RedisCredentialsSource | undefined,
  username: string,
): RedisCredentialsSource | undefined {
  if (source === undefined || username === "") return source;
  return async () => ({ username: decodeURIComponent(username), ...(await source()) });
}
