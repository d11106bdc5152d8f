export const IDLE_MS = 1_000_000;
export const ABSOLUTE_MS = 2_000_000;
export const GRACE_MS = 30_000;
export const ISSUER = "https://id.example.com";

/** Longer than a store keeps any expired data. */
export const LONG_AFTER_MS: number = 400 * 24 * 60 * 60 * 1000;
