import { Histogram, type MetricFamily, type MetricLabels } from "../../core/metrics.ts";
import type { MeasuredRequest } from "./request-measure.ts";

/** Upper bounds in seconds, as OpenTelemetry's conventions for HTTP advise. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** The methods that a label may name. Any other is `_OTHER`. */
const METHODS: ReadonlySet<string> = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]);
/** A stranger can cause every refusal of every route. Beyond this number of their series, a refusal names no route. */
const MAX_REFUSAL_SERIES = 40;

/** The time of the service's requests, by route, method and status. */
export class RequestMetrics {
  readonly #series = new Map<string, { readonly labels: MetricLabels; readonly durations: Histogram }>();
  #refusalSeries = 0;

  record({ request, route, status, durationMs }: Omit<MeasuredRequest, "listener" | "peer">): void {
    const { method = "" } = request;
    // A method that the route does not serve is any word that a client likes.
    const isServed = route !== null && status !== 405 && METHODS.has(method);
    const series =
      this.#find(route, isServed ? method : "_OTHER", status) ?? this.#find(null, "_OTHER", status, true);
    series?.durations.record(durationMs / 1_000);
  }

  metrics(): readonly MetricFamily[] {
    return [
      {
        kind: "histogram",
        name: "http_server_request_duration_seconds",
        help: "Time of a request to the service.",
        samples: [...this.#series.values()].map(({ labels, durations }) => durations.sample(labels)),
      },
    ];
  }

  /** `null` when the series would be one too many. */
  #find(route: string | null, method: string, status: number | null, isAlwaysKept: boolean = false) {
    const key = `${status} ${method} ${route}`;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const isRefusal = status === null || (status >= 400 && status < 500);
    if (isRefusal && !isAlwaysKept && ++this.#refusalSeries > MAX_REFUSAL_SERIES) return null;
    const labels = {
      url_scheme: "http",
      http_request_method: method,
      ...(route !== null && { http_route: route }),
      ...(status !== null && { http_response_status_code: String(status) }),
    };
    const series = { labels, durations: new Histogram(BOUNDS) };
    this.#series.set(key, series);
    return series;
  }
}
