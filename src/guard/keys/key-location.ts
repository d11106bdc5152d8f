/** Where a key set is fetched from. */
export interface KeyLocation {
  readonly kind: "discovered" | "jwks";
  /** Its address, asked for where that is needed. Rejects when it is not known and cannot be found out. */
  resolveUrl(signal: AbortSignal): Promise<string>;
  /** What is there could not be used. */
  requireRevalidation(): void;
  /** Whether a set that was fetched from there once may be used. */
  restore(url: string): boolean;
  /** What was found out counts no more. */
  forget(): void;
}

/** A configured address. */
export function fixedLocation(url: string): KeyLocation {
  return {
    kind: "jwks",
    resolveUrl: async () => await Promise.resolve(url),
    requireRevalidation: () => {},
    restore: (other) => other === url,
    forget: () => {},
  };
}
