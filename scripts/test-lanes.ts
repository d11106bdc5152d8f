/*
 * The order in which the runner starts the test files. A long file that started last would run alone at the end. Some files
 * wait for servers and clocks most of the time. They run beside the others, which keep the processor busy meanwhile.
 * `npm test -- --slowest 40` prints the files that belong here.
 */
import { availableParallelism } from "node:os";

/** Files of which so many run at once. */
export interface Lane {
  readonly places: number;
  readonly files: readonly string[];
}

/** So many files that mostly wait run at once. With two of them a machine of two cores is idle for a part of the run. */
const WAITING_PLACES = 3;

/** Files that use a small part of a processor, the longest first. */
const mostlyWaiting = [
  "test/docs/walkthroughs.test.ts",
  "test/ops/ten-faults.test.ts",
  "test/chaos/health-agrees.test.ts",
  "test/docs/protect-an-api.test.ts",
  "test/chaos/redis-partitions.test.ts",
  "test/chaos/headline.test.ts",
  "test/stores/redis-faults.test.ts",
  "test/browser/websocket.test.ts",
  "test/dashboard/memory.test.ts",
  "test/chaos/connections.test.ts",
  "test/stores/redis-failover.test.ts",
  "test/guard/revocations/redis-feed.test.ts",
  "test/doctor/checks/redis.test.ts",
  "test/stores/redis-handshake.test.ts",
  "test/ops/grafana.test.ts",
  "test/gateway/haproxy.test.ts",
  "test/server/redis-sentinel-settings.test.ts",
  "test/adapters/mount-issuer.test.ts",
];

/** Other files, the longest first. */
const mostlyComputing = [
  "test/package/package.test.ts",
  "test/cli/migrate.test.ts",
  "test/cli/serve-redis.test.ts",
  "test/cli/restore.test.ts",
  "test/client/failures.test.ts",
  "test/doctor/ten-faults.test.ts",
  "test/dashboard/administration.test.ts",
  "test/cli/audit.test.ts",
  "test/chaos/kill.test.ts",
  "test/model/mutants.test.ts",
  "test/sim/simulate.test.ts",
  "test/stores/redis.test.ts",
  "test/docs/coming-from.test.ts",
  "test/cli/commands.test.ts",
  "test/drill/drill.test.ts",
  "test/doctor/checks/service.test.ts",
  "test/scripts/demo.test.ts",
  "test/model/crash-points.test.ts",
  "test/sim/planted.test.ts",
  "test/chaos/one-request.test.ts",
];

/** All files that the order names. */
export const LONG_FILES: readonly string[] = [...mostlyWaiting, ...mostlyComputing];

/** Arranges files, given by their paths below this folder. */
export function arrangeFiles(files: readonly string[]): Lane[] {
  const given = new Set(files);
  const waiting = mostlyWaiting.filter((file) => given.has(file));
  const long = mostlyComputing.filter((file) => given.has(file));
  const others = files.filter((file) => !waiting.includes(file) && !long.includes(file));
  return [
    { places: WAITING_PLACES, files: waiting },
    { places: availableParallelism(), files: [...long, ...others.toSorted()] },
  ];
}

/** Runs every file of the lanes. A place whose lane has no file left takes one of another lane. */
export async function runLanes(lanes: readonly Lane[], run: (file: string) => Promise<void>): Promise<void> {
  const queues = lanes.map(({ files }) => [...files]);
  const places = lanes.flatMap(({ places: count }, lane) => Array.from({ length: count }, () => lane));
  const work = async (lane: number): Promise<void> => {
    for (;;) {
      const file = queues[lane]?.shift() ?? queues.find((queue) => queue.length > 0)?.shift();
      if (file === undefined) return;
      await run(file);
    }
  };
  await Promise.all(places.map(work));
}
