import type { JSX } from "preact";
import { ActionButton, type UserName } from "./action-button.tsx";
import { StateWord } from "./tone.tsx";

interface UnreadableSessionsProps {
  readonly ids: readonly string[];
  readonly user: UserName | undefined;
  readonly onEnded: () => void;
}

/** Names the sessions whose records the service cannot read. Of such a session, only the id is known. */
export function UnreadableSessions({ ids, user, onEnded }: UnreadableSessionsProps): JSX.Element {
  const isOne = ids.length === 1;
  return (
    <div class="card spaced">
      <div role="status">
        <StateWord tone="degraded">
          {isOne
            ? "1 session cannot be read: its record in the store is damaged."
            : `${ids.length} sessions cannot be read: their records in the store are damaged.`}
        </StateWord>
        <p>
          {isOne
            ? "Its access tokens are accepted until they expire, or until it is ended."
            : "The access tokens of each one are accepted until they expire, or until it is ended."}
        </p>
      </div>
      <ul class="kids" aria-label="Sessions that cannot be read">
        {ids.map((id) => (
          <li key={id} class="section-head">
            <code>{id}</code>
            <ActionButton
              label="End"
              about={`session ${id}`}
              action={{ action: "end-session", session: id }}
              isFinal
              user={user}
              onDone={onEnded}
            />
          </li>
        ))}
      </ul>
    </div>
  );
}
