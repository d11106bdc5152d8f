import { useCallback, useEffect, useState } from "react";
import type { SessionInfo } from "holdfast/client";
import { useAuth } from "holdfast/client/react";

/** Where the user is logged in, with a button that ends a session. */
export function Sessions() {
  const { client } = useAuth();
  const [sessions, setSessions] = useState<readonly SessionInfo[]>([]);
  const [note, setNote] = useState("");

  const load = useCallback(async () => {
    try {
      setSessions(await client.sessions());
      setNote("");
    } catch {
      setNote("The service does not answer. Try again.");
    }
  }, [client]);
  useEffect(() => void load(), [load]);

  async function end(id: string): Promise<void> {
    await client.endSession(id).catch(() => setNote("The service does not answer. Try again."));
    await load();
  }
  return (
    <section className="card wide">
      <h2>Where you are logged in</h2>
      <ul>
        {sessions.map(({ session_id: id, current, device, auth_time: since }) => (
          <li key={id}>
            <span>
              {current ? "This browser" : "Another browser"}, since{" "}
              {new Date(since * 1000).toLocaleTimeString()}
              <small>{device}</small>
            </span>
            <button onClick={() => void end(id)}>End</button>
          </li>
        ))}
      </ul>
      <button onClick={() => void load()}>Reload</button>
      <p role="status">{note}</p>
    </section>
  );
}
