import type { MeasuredService } from "./measured-service.ts";
import { worstRequests, type WorstRequest } from "./requests.ts";

/** The most processor time that one request may take on the main thread, in milliseconds (law 6). */
export const MAX_CPU_MS = 50;

/** A first measurement above this is repeated, because a collection of garbage may have fallen into it. */
const REPEAT_ABOVE_MS = 20;
const REPEATS = 3;
const RENEW_MS = 60_000;

export interface Measurements {
  requests: number;
  /** The slowest request, by the fastest of its repeats. */
  worst: { readonly name: string; readonly cpuMs: number };
  /** One sentence for each request over the bound, and for each that failed inside the service. */
  readonly broken: string[];
}

interface Run {
  readonly service: MeasuredService;
  readonly random: () => number;
  /** The share of the requests that is sent. */
  readonly share: number;
  /** Ends the run early. */
  readonly isOver?: () => boolean;
  readonly progress?: (text: string) => void;
}

/** Sends a random share of the worst requests and measures each. */
export async function measureWorstRequests(run: Run): Promise<Measurements> {
  const { service, random, share, isOver = () => false, progress = () => undefined } = run;
  const found: Measurements = { requests: 0, worst: { name: "", cpuMs: 0 }, broken: [] };
  let renewedAt = performance.now();
  for (const draw of worstRequests(service.credentials, random, service.adminPort)) {
    if (isOver()) break;
    if (random() >= share) continue;
    if (performance.now() - renewedAt > RENEW_MS) {
      await service.renew("administrator", "refreshed", "ended");
      renewedAt = performance.now();
    }
    const { name, status, cpuMs } = await measureRepeatedly(service, draw());
    found.requests++;
    if (cpuMs > found.worst.cpuMs) found.worst = { name, cpuMs };
    if (cpuMs > MAX_CPU_MS) found.broken.push(`${name}: ${cpuMs.toFixed(0)} ms`);
    if (status === "500") found.broken.push(`${name}: an internal error`);
    progress(`${found.requests} requests, the worst ${found.worst.cpuMs.toFixed(1)} ms: ${found.worst.name}`);
  }
  return found;
}

async function measureRepeatedly(
  service: MeasuredService,
  make: () => WorstRequest,
): Promise<{ readonly name: string; readonly status: string; readonly cpuMs: number }> {
  const request = make();
  let { status, cpuMs } = await service.measure(request);
  for (let i = 0; i < REPEATS && cpuMs > REPEAT_ABOVE_MS; i++) {
    cpuMs = Math.min(cpuMs, (await service.measure(make())).cpuMs);
  }
  // The next request that ends a session needs one that lives.
  if (request.session === "ended" && status.startsWith("2")) await service.renew("ended");
  return { name: request.name, status, cpuMs };
}
