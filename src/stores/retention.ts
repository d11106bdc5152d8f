/** Nothing is erased for good before it is over by a day: a clock that was wrong for hours revives nothing. */
export const EXPIRED_RETENTION_MS: number = 24 * 60 * 60 * 1000;

/** How long audit events are kept: 90 days. */
export const AUDIT_RETENTION_MS: number = 90 * 24 * 60 * 60 * 1000;
