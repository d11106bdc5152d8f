/** The JSON of an OAuth error response (RFC 6749 §5.2). */
export interface OAuthErrorBody {
  readonly error: string;
  readonly error_description: string;
}

export interface OAuthErrorContent {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: OAuthErrorBody;
}

/** Headers and body of an error response. No cache may keep it: the next request can have another answer. */
export function oauthErrorContent(
  error: string,
  description: string,
  headers: Readonly<Record<string, string>> = {},
): OAuthErrorContent {
  return {
    headers: { "Content-Type": "application/json", "Cache-Control": "no-store", ...headers },
    body: { error, error_description: description },
  };
}
