import { createProvider, seededRandom, type Provider } from "../testing/index.ts";
import { answerParent } from "./drill-process.ts";

/** What the provider is told first. */
export interface ProviderConfig {
  readonly issuer: string;
  readonly audience: string;
  /** It signs with this one in each of its lives. */
  readonly key: Readonly<Record<string, unknown>>;
  readonly clientId: string;
  readonly clientSecret: string;
  /** 0 for any. */
  readonly port: number;
  /** Ids of tokens that it knows to be revoked. */
  readonly revoked: readonly string[];
}

/** Where it listens. */
export interface ProviderReady {
  readonly port: number;
}

export type ProviderMessage = { readonly revoke: string } | { readonly slow: true };

let provider: Provider | undefined;

answerParent(async (message) => {
  if (provider === undefined) return await startProvider(message as ProviderConfig);
  const told = message as ProviderMessage;
  if ("revoke" in told) provider.revoke(told.revoke);
  else slowDown(provider);
  return {};
});

async function startProvider({ port, revoked, ...options }: ProviderConfig): Promise<ProviderReady> {
  provider = await createProvider(options);
  for (const id of revoked) provider.revoke(id);
  return { port: Number(new URL(await provider.listen(port)).port) };
}

/** Half of its answers take 150 ms and more, none takes 200: slow, and healthy. */
function slowDown(healthy: Provider): void {
  const random = seededRandom(1);
  healthy.fault("all", { latencyMs: () => Math.round(100 + 100 * random()) });
}
