import type { ProcessContext } from "../../src/testing/simulation/index.ts";
import { GATEWAY_URL } from "../addresses.ts";
import type { GatewayPath } from "../gateway.ts";
import { withTimeout } from "../http.ts";
import type { ClientParts, StoredTokens } from "./session.ts";

const TIMEOUT_MS = 3_000;
/** The share of requests with an identity header of the client, without a token, and with a forged token. */
const SPOOFED = 0.1;
const ANONYMOUS = 0.15;
const FORGED = 0.1;

const paths: readonly GatewayPath[] = [
  "/public/page",
  "/orders/1",
  "/orders/1",
  "/orders/1",
  "/fresh/1",
  "/admin/1",
  "/nowhere",
];

/** A proxy that asks the gateway about the requests of its clients, some of which lie about who they are. */
export async function runProxy(
  context: ProcessContext,
  { plan, recorder, leaks }: ClientParts,
): Promise<void> {
  const { sleep, random, fetch } = context;
  for (;;) {
    await sleep((plan.pauseMs / 4) * 2 * random());
    // Clients have the latest tokens mostly, and an old one now and then.
    const recent = leaks.access.slice(random() < 0.7 ? -4 : 0);
    const held = recent[Math.floor(random() * recent.length)];
    const path = paths[Math.floor(random() * paths.length)] as GatewayPath;
    const headers = new Headers({
      "x-original-method": "GET",
      "x-original-uri": path,
      "x-forwarded-host": "shop.example",
    });
    const token = drawToken(held);
    if (token !== null) headers.set("authorization", `Bearer ${token}`);
    if (random() < SPOOFED) headers.set("x-auth-subject", "root");
    const answer = recorder.call("visit", { path });
    const url = `${GATEWAY_URL}/verify/nginx`;
    const status = await withTimeout(
      TIMEOUT_MS,
      async (signal) => await fetch(url, { headers, signal }),
    ).then(
      (response) => response.status,
      () => 0,
    );
    answer({ status });
  }

  function drawToken(held: StoredTokens | undefined): string | null {
    const choice = random();
    if (held === undefined || choice < ANONYMOUS) return null;
    if (choice > ANONYMOUS + FORGED) return held.access;
    const forged = `${held.access.slice(0, -8)}AAAAAAAA`;
    recorder.record("forged", { token: recorder.nameOf(forged) });
    return forged;
  }
}
