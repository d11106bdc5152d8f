import { invalidOption, text, wholeNumber } from "../core/options.ts";
import { acceptedForMs, type Context } from "./context.ts";
import { endSession, endSubject } from "./sessions.ts";
import type { RevokeRequest } from "./types.ts";

/** Durable when it resolves (law 12). */
export async function revoke(ctx: Context, what: RevokeRequest): Promise<void> {
  const id = text("revoke: id", what.id);
  const issuer = ctx.config.url;
  const until = ctx.clock.now() + acceptedForMs(ctx.config);
  switch (what.kind) {
    case "session":
      return await endSession(ctx, id, "revoked");
    case "subject":
      return await endSubject(ctx, id, "revoked");
    case "token": {
      const { expiresAtMs } = what;
      const slackMs = acceptedForMs(ctx.config) - ctx.config.accessTokenTtlMs;
      const expires = wholeNumber("revoke: expiresAtMs", expiresAtMs, { default: until - slackMs, min: 0 });
      await ctx.store.revocations.append({ kind: "token", id, issuer, until: expires + slackMs });
      return await ctx.record.audit("token_revoked", { detail: id });
    }
    case "key":
      await ctx.keys.discard(id, async () => {
        await ctx.store.revocations.append({ kind: "key", id, issuer, until });
      });
      return await ctx.record.audit("key_revoked", { detail: id });
    default:
      throw invalidOption("revoke: kind", "session, subject, token or key", (what as RevokeRequest).kind);
  }
}
