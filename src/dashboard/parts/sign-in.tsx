import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useDashboard } from "./dashboard-context.ts";
import { Dialog } from "./dialog.tsx";
import { TextField } from "./text-field.tsx";

type Way = "password" | "token";

/** Signs an administrator in, with a password of this service or with an access token from elsewhere. */
export function SignIn({ onClose }: { onClose: () => void }): JSX.Element {
  const { api, received } = useDashboard();
  const { canSignIn } = received.instance;
  const [way, setWay] = useState<Way>(canSignIn ? "password" : "token");
  const [username, setUsername] = useState("");
  const [secret, setSecret] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const submit = async () => {
    setBusy(true);
    try {
      if (way === "password") await api.signIn(username, secret);
      else api.useToken(secret.trim().replace(/^bearer\s+/i, ""));
      onClose();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : "The service refused.");
      setBusy(false);
    }
  };
  return (
    <Dialog title="Sign in for actions" onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <p class="dim small">
          Actions need a user with the scope <code>holdfast:admin</code>. The page keeps the token in memory,
          so a reload forgets it.
        </p>
        {canSignIn && <WayToSignIn way={way} onWay={setWay} />}
        {way === "password" && (
          <TextField label="Name" autocomplete="username" value={username} onValue={setUsername} />
        )}
        <TextField
          label={way === "password" ? "Password" : "Access token"}
          type="password"
          autocomplete={way === "password" ? "current-password" : "off"}
          value={secret}
          onValue={setSecret}
        />
        {problem !== null && (
          <p class="error" role="alert">
            {problem}
          </p>
        )}
        <div class="dialog-buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={isBusy}>
            Sign in
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function WayToSignIn({ way, onWay }: { way: Way; onWay: (way: Way) => void }): JSX.Element {
  return (
    <div class="segments" role="group" aria-label="How to sign in">
      {(["password", "token"] as const).map((each) => (
        <button key={each} type="button" aria-pressed={way === each} onClick={() => onWay(each)}>
          {each === "password" ? "Password" : "Access token"}
        </button>
      ))}
    </div>
  );
}
