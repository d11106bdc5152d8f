import type { JSX } from "preact";
import { whole } from "../data/format.ts";
import { useDashboard } from "../parts/dashboard-context.ts";
import { Histogram } from "../parts/histogram.tsx";
import { ViewHead } from "../parts/view-head.tsx";
import type { ConnectionsState } from "../wire-state.ts";

/** Shows the live connections under the guard of this process. */
export function Connections(): JSX.Element {
  const { received } = useDashboard();
  const { connections } = received.frame.state;
  if (connections === null) {
    return (
      <>
        <ViewHead title="Connections" />
        <p class="empty">
          This process holds no live connections. Applications hold them with{" "}
          <code>holdfast/connections</code>, and have these numbers in their own metrics:{" "}
          <code>holdfast_connections</code>, <code>holdfast_connections_closed_total</code>.
        </p>
      </>
    );
  }
  const { open, pending, degraded, limit, closed, closeDelays } = connections;
  const figures = [
    ["open", open],
    ["waiting for a token", pending],
    ["accepted degraded", degraded],
    ["limit", limit],
  ] as const;
  return (
    <>
      <ViewHead title="Connections" />
      <ul class="cards narrow">
        {figures.map(([name, value]) => (
          <li key={name} class="card">
            <p class="figure-value">{whole(value)}</p>
            <p class="dim small">{name}</p>
          </li>
        ))}
      </ul>
      <div class="cards wide section">
        <Closings closed={closed} />
        <Histogram
          title="From a revocation to the close"
          note="How long a connection stayed open after its token was revoked."
          buckets={closeDelays}
        />
      </div>
    </>
  );
}

function Closings({ closed }: Pick<ConnectionsState, "closed">): JSX.Element {
  return (
    <section class="card" aria-labelledby="closings">
      <h2 id="closings">Closings since the start</h2>
      {closed.length === 0 && <p class="dim small">No connection was closed.</p>}
      {closed.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">code</th>
              <th scope="col">meaning</th>
              <th scope="col" class="number">
                closings
              </th>
            </tr>
          </thead>
          <tbody>
            {closed.map(({ code, words, count }) => (
              <tr key={code}>
                <th scope="row" class="mono">
                  {code}
                </th>
                <td>{words}</td>
                <td class="number">{whole(count)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
