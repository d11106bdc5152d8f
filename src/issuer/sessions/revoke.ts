import { invalidOption, readString } from "../../core/options.ts";
import type { IssuerContext } from "../context.ts";
import type { RevokeRequest } from "../types.ts";
import { hasNoNul } from "../users/credentials.ts";
import type { EndOptions } from "./session-types.ts";
import { endSession, endSubject } from "./sessions.ts";

/** Guards reject revocations with longer ids. */
const MAX_ID_CHARS = 1024;

/**
 * Whoever steals a key can choose any `exp`, so the lifetime of access tokens does not limit the damage. 30 days outlast every
 * old key set that a guard may still use, even during an outage.
 */
const KEY_REVOCATION_MS = 30 * 86_400_000;

/** Resolves when the revocation is durable (law 12). */
export async function revoke(
  ctx: IssuerContext,
  { kind, id }: RevokeRequest,
  { actor, source }: EndOptions = {},
): Promise<void> {
  checkRevocationId(id);
  const now = ctx.storeTime.latest();
  const append = async (one: "token" | "key", until: number) => {
    await ctx.store.revocations.append({ kind: one, id, issuer: ctx.config.url, until });
  };
  switch (kind) {
    case "session":
      return await endSession(ctx, id, "revoked", { actor, source });
    case "subject":
      await endSubject(ctx, id, "revoked", { actor, source });
      return;
    case "token":
      await append(kind, await ctx.acceptance.endsAt(now));
      return await ctx.audit("token_revoked", { actor, source, detail: id });
    case "key":
      await ctx.keys.discard(id, async () => {
        await append(kind, Math.max(now + KEY_REVOCATION_MS, await ctx.acceptance.endsAt(now)));
      });
      return await ctx.audit("key_revoked", { actor, source, detail: id });
    default:
      throw invalidOption("revoke: kind", "session, subject, token or key", kind);
  }
}

/** Throws `invalid_option`. */
export function checkRevocationId(id: unknown): void {
  const name = readString("id", id);
  if (name.length > MAX_ID_CHARS || !hasNoNul(name)) {
    throw invalidOption("id", `at most ${MAX_ID_CHARS} characters without NUL`, id);
  }
}
