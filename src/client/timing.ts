/* Constants of a module that imports nothing are inlined by bundlers. */

/** A timer with a longer delay, 24.8 days, fires at once. */
export const MAX_TIMER_MS = 2_147_483_647;
/** A longer `Retry-After` is cut to this. */
export const MAX_RETRY_AFTER_MS = 3_600_000;
/** The longest back-off, and the time for which a storage that failed is not tried again. */
export const PAUSE_MS = 30_000;
/** The back-off before the first failure. It doubles with each. */
export const BACK_OFF_MS = 500;
/** The shortest wait after a failure. */
export const FIRST_PAUSE_MS = 1_000;
/** A wall clock that went back by more than this makes a token stale. */
export const CLOCK_TOLERANCE_MS = 60_000;
/** A storage that does not answer in this time has failed. */
export const STORAGE_WAIT_MS = 1_800;
/** A hidden page has no timer after this time. */
export const HIDDEN_MS = 300_000;
/** A token with a tiny life must not make the timer a loop. */
export const MIN_TIMER_MS = 1_000;
/** The server of a WebSocket answers a token within this time. */
export const ANSWER_MS = 10_000;
