export { seededEntropy } from "./entropy.ts";
export { FakeClock } from "./fake-clock.ts";
export { createFaultProxy, type FaultProxy, type FaultProxyOptions } from "./fault-proxy.ts";
export { createMint, type Mint, type MintOptions } from "./mint.ts";
export { createProvider, type Provider, type ProviderOptions } from "./provider.ts";
export type { Endpoint, Fault, FaultyAnswer } from "./provider/fault.ts";
export type { RequestCounts } from "./provider/request-handler.ts";
export type { ProxyMode } from "./proxy/control.ts";
export { seededRandom } from "./random.ts";
