import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Action, ActionAnswer } from "../wire-api.ts";
import { useDashboard } from "./dashboard-context.ts";
import { Dialog } from "./dialog.tsx";

interface ActionButtonProps {
  readonly label: string;
  /** Completes the label for a screen reader, such as `session of ada`. */
  readonly about?: string;
  readonly action: Action;
  /** Whether something ends that does not come back. */
  readonly isFinal?: boolean;
  readonly onDone?: () => void;
}

type Progress =
  | { readonly at: "rest" }
  | { readonly at: "asking" }
  /** The service has said what the action would do. */
  | { readonly at: "confirm"; readonly effect: string }
  | { readonly at: "done"; readonly effect: string; readonly audited: boolean | null }
  | { readonly at: "failed"; readonly problem: string };

/** Performs an action after a confirmation that names its effect. The service computes the effect without acting. */
export function ActionButton({
  label,
  about,
  action,
  isFinal = false,
  onDone,
}: ActionButtonProps): JSX.Element {
  const { api, subject, askToSignIn } = useDashboard();
  const [progress, setProgress] = useState<Progress>({ at: "rest" });
  const send = async (dryRun: boolean) => {
    setProgress((before) => (dryRun ? { at: "asking" } : before));
    try {
      const { effect, audited } = await api.post<ActionAnswer>("/api/actions", { ...action, dryRun });
      setProgress(dryRun ? { at: "confirm", effect } : { at: "done", effect, audited });
    } catch (error) {
      setProgress({ at: "failed", problem: error instanceof Error ? error.message : "The service refused." });
    }
  };
  const close = () => {
    setProgress({ at: "rest" });
    if (progress.at === "done") onDone?.();
  };
  return (
    <>
      <button
        type="button"
        class={isFinal ? "danger" : ""}
        disabled={progress.at === "asking"}
        onClick={() => (subject === null ? askToSignIn() : void send(true))}
      >
        {label}
        {about !== undefined && <span class="hidden"> {about}</span>}
      </button>
      {(progress.at === "confirm" || progress.at === "done" || progress.at === "failed") && (
        <Dialog
          title={progress.at === "done" ? "Done" : about === undefined ? label : `${label} ${about}`}
          onClose={close}
        >
          {progress.at === "confirm" && <p>This {progress.effect}.</p>}
          {progress.at === "done" && (
            <p role="status">
              This {progress.effect}.{" "}
              {progress.audited === false && "The store did not keep the audit event."}
            </p>
          )}
          {progress.at === "failed" && (
            <p class="error" role="alert">
              {progress.problem}
            </p>
          )}
          <div class="dialog-buttons">
            <button type="button" onClick={close}>
              {progress.at === "confirm" ? "Cancel" : "Close"}
            </button>
            {progress.at === "confirm" && (
              <button type="button" class={isFinal ? "danger" : "primary"} onClick={() => void send(false)}>
                {label}
              </button>
            )}
          </div>
        </Dialog>
      )}
    </>
  );
}
