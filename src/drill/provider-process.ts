import { createProvider, seededRandom, type Provider } from "../testing/index.ts";
import { answerParent } from "./drill-process.ts";

/** The first message to the provider. */
export interface ProviderConfig {
  readonly issuer: string;
  readonly audience: string;
  /** The private signing key, which stays the same across restarts. */
  readonly key: Readonly<Record<string, unknown>>;
  readonly clientId: string;
  readonly clientSecret: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** The ids of revoked tokens. */
  readonly revoked: readonly string[];
}

export interface ProviderReady {
  readonly port: number;
}

export type ProviderMessage = { readonly revoke: string } | { readonly slow: true };

let provider: Provider | undefined;

answerParent(async (message) => {
  if (provider === undefined) return await startProvider(message as ProviderConfig);
  const command = message as ProviderMessage;
  if ("revoke" in command) provider.revoke(command.revoke);
  else slowDown(provider);
  return {};
});

async function startProvider({ port, revoked, ...options }: ProviderConfig): Promise<ProviderReady> {
  provider = await createProvider(options);
  for (const id of revoked) provider.revoke(id);
  return { port: Number(new URL(await provider.listen(port)).port) };
}

/** Delays each answer by 100 to 200 ms, by 150 ms in the median. */
function slowDown(healthy: Provider): void {
  const random = seededRandom(1);
  healthy.fault("all", { latencyMs: () => Math.round(100 + 100 * random()) });
}
