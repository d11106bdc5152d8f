import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { TextField } from "./text-field.tsx";

/** Asks for the token of an admin listener that other machines can reach. */
export function ListenerToken({
  refused,
  onToken,
}: {
  refused: boolean;
  onToken: (token: string) => void;
}): JSX.Element {
  const [token, setToken] = useState("");
  return (
    <form
      class="card form"
      onSubmit={(event) => {
        event.preventDefault();
        onToken(token.trim());
      }}
    >
      <h1>This listener needs its token</h1>
      <p class="dim">
        It is the value of <code>HOLDFAST_ADMIN_TOKEN</code>, or in the file <code>admin-token</code> that the
        service names at its start. The page keeps it in memory until it is closed.
      </p>
      <TextField label="Token of the listener" type="password" value={token} onValue={setToken} />
      {refused && (
        <p class="error" role="alert">
          The service refused this token.
        </p>
      )}
      <div>
        <button type="submit" class="primary">
          Open the dashboard
        </button>
      </div>
    </form>
  );
}
