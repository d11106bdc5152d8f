import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { TokenResponse } from "../../src/issuer/types.ts";
import { startService, type RunningService } from "../../src/server/serve.ts";
import { post, verify } from "../support/auth-calls.ts";
import { temporarySettings } from "./temporary-settings.ts";

async function start(t: TestContext, more: Record<string, string>): Promise<RunningService> {
  const running = await startService(await temporarySettings(more));
  t.after(running.stop);
  return running;
}

function decode(part: string | undefined): Record<string, unknown> {
  return JSON.parse(Buffer.from(part ?? "", "base64url").toString()) as Record<string, unknown>;
}

test("the lifetimes and the algorithm of the settings are those of the tokens", async (t) => {
  const { publicAddress } = await start(t, {
    HOLDFAST_ACCESS_TOKEN_TTL: "2m",
    HOLDFAST_REFRESH_IDLE: "10m",
    HOLDFAST_REFRESH_ABSOLUTE: "8h",
    HOLDFAST_ALGORITHM: "EdDSA",
    HOLDFAST_KEY_ROTATION: "1d",
  });
  const credentials = { username: "alice", password: "correct horse battery" };
  const response = await post(publicAddress, "/auth/login", credentials);
  const tokens = (await response.json()) as TokenResponse;
  assert.equal(tokens.expires_in, 120);
  assert.ok(tokens.refresh_token_expires_in <= 600 && tokens.refresh_token_expires_in > 590);
  const [header, claims] = tokens.access_token.split(".").slice(0, 2).map(decode);
  assert.equal(header?.["alg"], "EdDSA");
  assert.equal(Number(claims?.["exp"]) - Number(claims?.["iat"]), 120);
  assert.equal(await verify(publicAddress, tokens.access_token), 200);
});
