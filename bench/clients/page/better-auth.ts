import { createAuthClient } from "better-auth/client";
import { run } from "./peer.ts";

// As in the documentation: the page follows `useSession`, and the API reads the session cookie.
const auth = createAuthClient({ baseURL: `${origins.auth}/api/auth` });
let current: { data: { user: { id: string } } | null; isPending: boolean } = { data: null, isPending: true };

run({
  hasTokens: false,
  hasFetch: false,
  async start() {
    await new Promise<void>((resolve) => {
      auth.useSession.subscribe((value) => {
        current = value;
        if (!current.isPending) resolve();
      });
    });
  },
  async login(name) {
    const { error } = await auth.signIn.email({ email: `${name}@example.com`, password: "secret" });
    if (error !== null) throw new Error(error.message);
  },
  user: async () => current.data?.user.id ?? null,
  call: async (url) => await fetch(url, { credentials: "include" }),
  logout: async () => await auth.signOut(),
});
