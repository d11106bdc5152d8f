import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { HoldfastError } from "../../core/errors.ts";
import { invalidOption, option, rejectUnknownOptions, type OptionTable } from "../../core/options.ts";
import type { RedisAddress } from "./address.ts";

/** TLS with a private authority, a client certificate or another server name. The texts are PEM. */
export interface RedisTls {
  /** The certificates to trust, instead of those that Node trusts. A pinned self-signed certificate is one of them. */
  readonly ca?: string | readonly string[];
  /** The client certificate. It needs `key`. */
  readonly cert?: string;
  /** The private key of the client certificate. */
  readonly key?: string;
  /** The name that the server's certificate must have. Default: the host of the address. */
  readonly servername?: string;
}

/** What a process presents to Redis. */
export interface RedisCredentials {
  /** The ACL user. Without a name it is that of the URL, or `default`. */
  readonly username?: string;
  readonly password: string;
  /**
   * When the password stops working, epoch ms. The store then asks for new credentials in advance, and authenticates
   * its open connections with them.
   */
  readonly expiresAt?: number;
}

/** Returns the current credentials. It is called for each connection. */
export type RedisCredentialsSource = () => Promise<RedisCredentials> | RedisCredentials;

/** Where a server can be reached. */
export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

/** The options of the connection itself, apart from its address. */
export interface RedisAccessOptions {
  /** TLS settings. The address must be `rediss:`. Without them, TLS trusts what Node trusts, with `NODE_EXTRA_CA_CERTS`. */
  tls?: RedisTls;
  /** Returns credentials that change, instead of those in the URL. */
  credentials?: RedisCredentialsSource;
  /** TLS settings of the Sentinels, when they are not those of `tls`. The URLs of the Sentinels must be `rediss:`. */
  sentinelTls?: RedisTls;
  /** Returns the credentials of the Sentinels, instead of those in their URLs. `expiresAt` has no effect here. */
  sentinelCredentials?: RedisCredentialsSource;
  /** Maps the addresses that a cluster or Sentinels announce, as `host:port`, to those that this process can reach. */
  nodeAddressMap?: Readonly<Record<string, RedisNode>>;
}

/** The checked options of the connection. */
export interface RedisAccess {
  readonly tls: RedisTls | undefined;
  readonly credentials: RedisCredentialsSource | undefined;
  readonly sentinelTls: RedisTls | undefined;
  readonly sentinelCredentials: RedisCredentialsSource | undefined;
  readonly nodeAddressMap: Readonly<Record<string, RedisNode>> | undefined;
}

/** The access options of `redisStore` and `redisAnswers`. */
export const redisAccessOptionTable: OptionTable<RedisAccess> = {
  tls: option(readTls),
  credentials: option(readCredentialsSource),
  sentinelTls: option(readTls),
  sentinelCredentials: option(readCredentialsSource),
  nodeAddressMap: option((name, value) => (value === undefined ? undefined : readAddressMap(name, value))),
};

/** Throws `invalid_option` when the options of the connection contradict the address. */
export function checkAccess(owner: string, address: RedisAddress, access: RedisAccess): void {
  const { tls, credentials, sentinelTls, sentinelCredentials } = access;
  const refuse = (what: string) => {
    throw new HoldfastError("invalid_option", `${owner}: ${what}`);
  };
  const sentinels = address.kind === "sentinel" ? address.nodes : [];
  const servers = address.kind === "sentinel" ? [address.primary] : address.nodes;
  const usesTls = (urls: readonly URL[]) => urls.some(({ protocol }) => protocol === "rediss:");
  const hasPassword = (urls: readonly URL[]) => urls.slice(0, 1).some(({ password }) => password !== "");
  if (tls !== undefined && !usesTls([...servers, ...sentinels]))
    refuse("tls needs an address that begins with rediss:");
  if (credentials !== undefined && hasPassword(servers))
    refuse("credentials and a password in the URL exclude each other");
  for (const [name, given] of Object.entries({ sentinelTls, sentinelCredentials })) {
    if (given !== undefined && sentinels.length === 0) refuse(`${name} needs sentinel`);
  }
  if (sentinelTls !== undefined && !usesTls(sentinels))
    refuse("sentinelTls needs nodes that begin with rediss:");
  if (sentinelCredentials !== undefined && hasPassword(sentinels))
    refuse("sentinelCredentials and a password in the URL of a Sentinel exclude each other");
}

function readCredentialsSource(name: string, value: unknown): RedisCredentialsSource | undefined {
  if (value === undefined || typeof value === "function") return value as RedisCredentialsSource | undefined;
  throw invalidOption(name, "a function that returns credentials", value);
}

function readTls(name: string, value: unknown): RedisTls | undefined {
  if (value === undefined) return undefined;
  rejectUnknownOptions(name, value, ["ca", "cert", "key", "servername"]);
  const { ca, cert, key, servername } = value as Record<keyof RedisTls, unknown>;
  const pems = Array.isArray(ca) ? (ca as unknown[]) : [ca];
  for (const [member, one] of [...pems.map((pem) => ["ca", pem]), ["cert", cert], ["key", key]] as const) {
    if (one === undefined || (typeof one === "string" && one.includes("-----BEGIN "))) continue;
    throw invalidOption(`${name}.${String(member)}`, "PEM text", one);
  }
  if (servername !== undefined && (typeof servername !== "string" || servername === "")) {
    throw invalidOption(`${name}.servername`, "a host name", servername);
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new HoldfastError("invalid_option", `${name} needs cert and key together`);
  }
  const tls = value as RedisTls;
  try {
    // TLS ignores a certificate of `ca` that it cannot read, and would then trust nothing.
    for (const pem of pems) if (typeof pem === "string") void new X509Certificate(pem);
    createSecureContext(toTlsOptions(tls));
  } catch (error) {
    const { code } = error as { code?: unknown };
    throw new HoldfastError("invalid_option", `${name} has PEM text that TLS cannot use (${String(code)})`);
  }
  return { ...tls };
}

/** Returns the options as `tls.connect` takes them. */
export function toTlsOptions({ ca, cert, key, servername }: RedisTls): {
  ca?: string | string[];
  cert?: string;
  key?: string;
  servername?: string;
} {
  return {
    ...(ca !== undefined && { ca: typeof ca === "string" ? ca : [...ca] }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(servername !== undefined && { servername }),
  };
}

function readAddressMap(name: string, value: unknown): Record<string, RedisNode> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalidOption(name, "an object of host:port and { host, port }", value);
  }
  for (const [announced, node] of Object.entries(value as Record<string, Partial<RedisNode> | null>)) {
    const { host, port } = node ?? {};
    const isNode = typeof host === "string" && host !== "" && Number.isInteger(port);
    if (isNode && /:\d+$/.test(announced)) continue;
    throw invalidOption(`${name}["${announced}"]`, "{ host, port } under a name such as 10.0.0.1:6379", node);
  }
  return { ...(value as Record<string, RedisNode>) };
}
