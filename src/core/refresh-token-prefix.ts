/**
 * The first characters of every refresh token of a Holdfast issuer. They name the kind of the secret.
 * A guard sends no such token to an authority, and a scanner for leaked secrets can find it.
 */
export const REFRESH_TOKEN_PREFIX = "hfr_";
