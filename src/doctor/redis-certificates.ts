import { once } from "node:events";
import { connect } from "node:tls";
import type { RedisSettings } from "../server/redis-settings.ts";
import { readRedisOptions } from "../server/store/redis-access.ts";
import { toTlsOptions } from "../stores/redis/access.ts";
import { readAddress } from "../stores/redis/address.ts";
import { hostOf } from "../stores/redis/node-options.ts";

/** The certificate of a server, and until when it is good, as Node formats it. */
export interface RedisCertificate {
  readonly place: string;
  readonly validTo: string;
}

const SENTINEL_PORT = 26_379;

/** Reads the certificates of the servers in REDIS_URL. A server that does not present a trusted one is left out: the store is asked, too. */
export async function readRedisCertificates(
  settings: RedisSettings,
  signal: AbortSignal,
): Promise<RedisCertificate[]> {
  const address = readAddress(settings, "REDIS_URL");
  const isSentinel = address.kind === "sentinel";
  const nodes = address.nodes.filter(({ protocol }) => protocol === "rediss:");
  if (nodes.length === 0) return [];
  const { tls, sentinelTls } = await readRedisOptions(settings);
  const options = toTlsOptions((isSentinel ? (sentinelTls ?? tls) : tls) ?? {});
  const read = nodes.map(async (node): Promise<RedisCertificate[]> => {
    const socket = connect({ ...hostOf(node, isSentinel ? SENTINEL_PORT : undefined), ...options });
    try {
      await once(socket, "secureConnect", { signal });
      return [{ place: node.host, validTo: socket.getPeerCertificate().valid_to }];
    } catch {
      return [];
    } finally {
      socket.destroy();
    }
  });
  return (await Promise.all(read)).flat();
}
