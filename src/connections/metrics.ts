import { Histogram, metricFamily, type MetricFamily } from "../core/metrics.ts";
import type { ConnectionsStatus } from "./types.ts";

/** Upper bounds in seconds. */
const DELAY_BOUNDS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 5];

/** Numbers that the status does not have. */
export class ConnectionCounts {
  opened = 0;
  /** Connections that the peer closed. */
  closedByPeer = 0;
  /** Time from a revocation to the close of a connection with its token. */
  readonly closeDelays: Histogram = new Histogram(DELAY_BOUNDS);
}

/** The metrics of one server's connections, as they are now. */
export function connectionMetrics(
  guard: string,
  limit: number,
  status: ConnectionsStatus,
  counts: ConnectionCounts,
): readonly MetricFamily[] {
  const labels = { guard };
  const closed = Object.entries(status.closed).map(([code, value]) => ({
    labels: { ...labels, code },
    value,
  }));
  return [
    metricFamily("gauge", "holdfast_connections", "Connections by state. Degraded ones are open, too.", [
      { labels: { ...labels, state: "open" }, value: status.open },
      { labels: { ...labels, state: "pending" }, value: status.pending },
      { labels: { ...labels, state: "degraded" }, value: status.degraded },
    ]),
    metricFamily("gauge", "holdfast_connections_limit", "The most connections.", [{ labels, value: limit }]),
    metricFamily("counter", "holdfast_connections_opened_total", "Connections that were opened.", [
      { labels, value: counts.opened },
    ]),
    metricFamily("counter", "holdfast_connections_refreshed_total", "Tokens that replaced an earlier one.", [
      { labels, value: status.refreshed },
    ]),
    metricFamily("counter", "holdfast_connections_limited_total", "Connections that a limit refused.", [
      { labels, value: status.limited },
    ]),
    metricFamily("counter", "holdfast_connections_closed_total", "Connections that were closed, by code.", [
      ...closed,
      { labels: { ...labels, code: "peer" }, value: counts.closedByPeer },
    ]),
    {
      kind: "histogram",
      name: "holdfast_connection_close_delay_seconds",
      help: "Time from a revocation to the close of a connection with its token.",
      samples: [counts.closeDelays.sample({ ...labels, reason: "token_revoked" })],
    },
  ];
}
