import { setTimeout as pause } from "node:timers/promises";
import { login, post, measureUntil, verify } from "../support/auth-calls.ts";
import { check, quantile, type Figures, type SoakContext } from "./context.ts";

export interface RevocationOptions extends SoakContext {
  readonly samples: number;
}

/** A logout must reach the other service within this time. */
const MAX_DELAY_MS = 10_000;

/** Measures the time from the 204 of a logout at one service to the first 401 at another. */
export async function measureRevocations({
  deployment,
  progress,
  random,
  samples,
}: RevocationOptions): Promise<Figures> {
  const [one, other] = await Promise.all([deployment.start(), deployment.start()]);
  const took: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    progress(`logout ${sample + 1} of ${samples}`);
    const tokens = await login(one.url);
    check("a new token is valid", (await verify(other.url, tokens.access_token)) === 200);
    // A random pause keeps the samples independent of periodic work of the other service.
    await pause(random() * 500);
    const response = await post(one.url, "/auth/logout", { refresh_token: tokens.refresh_token });
    check("a logout succeeds", response.status === 204);
    took.push(
      await measureUntil(async () => (await verify(other.url, tokens.access_token)) === 401, MAX_DELAY_MS),
    );
  }
  await deployment.stopServices();
  const [p50, p99, most] = [0.5, 0.99, 1].map((share) => quantile(took, share));
  check(`every logout takes effect within ${MAX_DELAY_MS} ms`, most !== Number.POSITIVE_INFINITY);
  const ms = (value = Number.NaN) => `${value.toFixed(1)} ms`;
  return { "revocation, p50": ms(p50), "revocation, p99": ms(p99), "revocation, longest": ms(most) };
}
