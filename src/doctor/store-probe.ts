/** Reads the store of the service without changing it. Several checks share what it finds. */
export interface StoreProbe {
  /** The markers of the store by name. `null` when the store does not exist yet or cannot be read. Never rejects. */
  markers(): Promise<ReadonlyMap<string, string> | null>;
}
