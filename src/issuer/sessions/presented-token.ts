import type { IssuerContext } from "../context.ts";
import {
  hasRefreshTokenShape,
  parseAnyRefreshToken,
  parseRefreshToken,
  type RefreshToken,
} from "./refresh-token.ts";

/** Whose refresh token a request may present: of the public client (`null`), also of this client, or of every client. */
export type Presenter = { readonly client: string | null } | "any client";

/**
 * Parses the refresh token of a request. `null` when no secret of the store made it. Rejects with `store_mismatch` when
 * another process has replaced the secret, because this process cannot tell then whose token it is (law 1).
 */
export async function parsePresented(
  ctx: IssuerContext,
  text: string,
  presenter: Presenter,
): Promise<RefreshToken | null> {
  const token =
    presenter === "any client"
      ? parseAnyRefreshToken(ctx, text)
      : parseRefreshToken(ctx.secrets, text, presenter.client);
  if (token === null && hasRefreshTokenShape(text)) await ctx.secretCheck.rejectIfReplaced();
  return token;
}
