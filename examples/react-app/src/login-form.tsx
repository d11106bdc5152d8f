import { useState, type FormEvent } from "react";
import { LoginRefused, type OutCause } from "holdfast/client";
import { useAuth } from "holdfast/client/react";

/** Why the page shows the form, for a user who did not log out. */
const notes: Readonly<Record<OutCause, string>> = {
  logout: "You are logged out.",
  invalid_grant: "The session was ended. Please log in again.",
  expired: "The session has expired. Please log in again.",
};

export function LoginForm({ cause }: { readonly cause: OutCause | null }) {
  const { client } = useAuth();
  const [note, setNote] = useState(cause === null ? "" : notes[cause]);

  async function logIn(form: HTMLFormElement): Promise<void> {
    const { username, password } = Object.fromEntries(new FormData(form));
    try {
      await client.login({ username, password });
    } catch (error) {
      const isRefused = error instanceof LoginRefused && error.cause === "invalid_credentials";
      setNote(isRefused ? "The name or the password is wrong." : "The service does not answer. Try again.");
    }
  }
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    void logIn(event.currentTarget);
  };
  return (
    <form className="card" onSubmit={submit}>
      <h2>Log in</h2>
      <label>
        Name <input name="username" autoComplete="username" required />
      </label>
      <label>
        Password <input name="password" type="password" autoComplete="current-password" required />
      </label>
      <button className="strong">Log in</button>
      <p role="alert">{note}</p>
    </form>
  );
}
