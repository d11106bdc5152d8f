export const IDLE_MS = 200_000_000;
export const ABSOLUTE_MS = 400_000_000;
export const LOST_ANSWER_MS: number = 24 * 60 * 60 * 1000;
export const CONFLICT_MS = 30_000;
export const ISSUER = "https://id.example.com";

/** Longer than a store keeps any expired data. */
export const LONG_AFTER_MS: number = 400 * 24 * 60 * 60 * 1000;
