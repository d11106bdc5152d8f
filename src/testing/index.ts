export { FakeClock } from "./fake-clock.ts";
export { createMint, type Mint, type MintOptions } from "./mint.ts";
export { createProvider, type Provider, type ProviderOptions } from "./provider.ts";
export type { Endpoint, Fault, FaultyAnswer } from "./provider/fault.ts";
export type { RequestCounts } from "./provider/front.ts";
export { seededRandom } from "./random.ts";
