import { Comparison } from "../chaos/health-agrees/comparison.ts";
import { startSite } from "../chaos/health-agrees/site.ts";
import { isMissing } from "../gateway/proxies.ts";
import {
  clockFaults,
  cutFeedFault,
  floodFault,
  providerFaults,
  redisFaults,
  sqliteFaults,
  type Fault,
} from "../support/faults/faults.ts";
import { redisSettings } from "../support/redis-servers.ts";
import { UnresponsiveProxy } from "../support/unresponsive-proxy.ts";
import type { Figures, SoakContext } from "./context.ts";
import { randomBetween } from "./random.ts";

/** The fewest and the most seconds that a fault lasts. */
const ROUNDS = [4, 60] as const;

/**
 * Draws one fault after the other for `forMs`, and compares what users get with what health says in every second. On Redis
 * the site has a process for each role, because only then can the link of the gateway be cut.
 */
export async function runHealth({
  deployment,
  random,
  progress,
  forMs,
}: SoakContext & { readonly forMs: number }): Promise<Figures> {
  const missing = isMissing("nginx");
  if (missing !== false) return { skipped: missing };
  const { redis } = deployment;
  const link = redis === null ? null : await UnresponsiveProxy.start(redis.port);
  const gatewaySettings = link && {
    HOLDFAST_ROLES: "gateway",
    HOLDFAST_BOOTSTRAP_USER: undefined,
    REDIS_URL: link.url,
  };
  const site = await startSite({
    settings: redis === null ? {} : redisSettings(redis),
    ...(gatewaySettings !== null && { gatewaySettings }),
  });
  try {
    const faults: Fault[] = [
      ...providerFaults(site),
      ...clockFaults(site),
      floodFault(site),
      ...(redis === null ? sqliteFaults(site) : redisFaults(redis)),
      ...(link === null ? [] : [cutFeedFault(link)]),
    ];
    const comparison = new Comparison(site, progress);
    const counts = new Map<string, number>();
    const end = performance.now() + forMs;
    while (performance.now() < end) {
      const fault = faults[randomBetween(random, 0, faults.length - 1)] as Fault;
      const rounds = randomBetween(random, ROUNDS[0], Math.min(ROUNDS[1], fault.maxRounds ?? Infinity));
      await comparison.during(fault, rounds);
      counts.set(fault.name, (counts.get(fault.name) ?? 0) + 1);
    }
    return { "rounds that agree": comparison.rounds, ...Object.fromEntries(counts) };
  } finally {
    await site.stop();
    link?.close();
  }
}
