import { AuthClient, type Session } from "@supabase/auth-js";
import { run, withToken } from "./peer.ts";

// As in the guide for React: the page follows `onAuthStateChange`, and asks `getSession` before a request.
const auth = new AuthClient({ url: origins.auth, storageKey: "sb-bench-auth-token" });
let session: Session | null = null;

run({
  hasTokens: true,
  hasFetch: false,
  async start() {
    auth.onAuthStateChange((_event, current) => {
      session = current;
    });
    await auth.initialize();
  },
  async login(name) {
    const { error } = await auth.signInWithPassword({ email: `${name}@example.com`, password: "secret" });
    if (error !== null) throw error;
  },
  user: async () => session?.user.id ?? null,
  async call(url) {
    const { data, error } = await auth.getSession();
    if (error !== null) throw error;
    return await withToken(url, data.session?.access_token);
  },
  logout: async () => await auth.signOut(),
});
