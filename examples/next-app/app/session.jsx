"use client";

import { createAuthClient } from "holdfast/client";
import { AuthProvider } from "holdfast/client/react";

// The cookies hold the tokens, so no script of the page can read them.
const client = createAuthClient({ baseUrl: process.env.NEXT_PUBLIC_ORIGIN, mode: "cookie" });

export function Session({ children }) {
  return <AuthProvider client={client}>{children}</AuthProvider>;
}
