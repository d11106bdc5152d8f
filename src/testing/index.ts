export { FakeClock } from "./fake-clock.ts";
export { createMint, type Mint, type MintOptions } from "./mint.ts";
