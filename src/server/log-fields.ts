/**
 * The fields of a log line, named as in the log data model of OpenTelemetry and its conventions for attributes. Names that
 * OpenTelemetry does not have begin with `holdfast.`. docs/run/logs.md explains each.
 */
export interface LogFields {
  readonly timestamp?: string;
  readonly severity_text?: string;
  readonly severity_number?: number;
  readonly body?: string;
  readonly "event.name"?: string;
  readonly trace_id?: string;
  readonly "client.address"?: string;
  readonly "http.request.method"?: string;
  readonly "http.response.status_code"?: number;
  readonly "http.route"?: string;
  /** Seconds, as in the metric of this name. */
  readonly "http.server.request.duration"?: number;
  readonly "user.id"?: string;
  readonly "holdfast.actor"?: string;
  readonly "holdfast.detail"?: string;
  readonly "holdfast.guard"?: string;
  readonly "holdfast.issuer"?: string;
  readonly "holdfast.listener"?: string;
  readonly "holdfast.session"?: string;
  readonly "holdfast.store"?: string;
}

/** The severity numbers of OpenTelemetry, which are the lowest ones of each level. */
export const severityNumbers: Readonly<Record<string, number>> = {
  trace: 1,
  debug: 5,
  info: 9,
  warn: 13,
  error: 17,
  fatal: 21,
};

/** Drops the members that are `null` or missing, because a line names only what it knows. */
export function knownFields(fields: {
  readonly [Name in keyof LogFields]: LogFields[Name] | null;
}): LogFields {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== null && value !== undefined),
  );
}
