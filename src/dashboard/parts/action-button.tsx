import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Action, ActionAnswer } from "../wire-api.ts";
import { useDashboard } from "./dashboard-context.ts";
import { Dialog } from "./dialog.tsx";

/** A user as the operator searched for it. */
export interface UserName {
  readonly subject: string;
  readonly name: string;
}

interface ActionButtonProps {
  readonly label: string;
  /** Completes the label for a screen reader, such as `session of ada`. */
  readonly about?: string;
  readonly action: Action;
  /** The name of the user whose subject the effect mentions. People do not know a subject. */
  readonly user?: UserName | undefined;
  /** Whether something ends that does not come back. */
  readonly isFinal?: boolean;
  /** Called when the service has acted, while the dialog still tells the effect. */
  readonly onActed?: () => void;
  /** Called when the operator closes that dialog. */
  readonly onDone?: () => void;
}

type Progress =
  | { readonly at: "rest" }
  | { readonly at: "asking" }
  /** The service has said what the action would do. */
  | { readonly at: "confirm"; readonly effect: string }
  /** The operator has confirmed. A second click must not act again. */
  | { readonly at: "acting"; readonly effect: string }
  | { readonly at: "done"; readonly effect: string; readonly audited: boolean | null }
  | { readonly at: "failed"; readonly problem: string };

/** Performs an action after a confirmation that names its effect. The service computes the effect without acting. */
export function ActionButton({
  label,
  about,
  action,
  user,
  isFinal = false,
  onActed,
  onDone,
}: ActionButtonProps): JSX.Element {
  const { api, subject, askToSignIn } = useDashboard();
  const [progress, setProgress] = useState<Progress>({ at: "rest" });
  const send = async (dryRun: boolean) => {
    try {
      const answer = await api.post<ActionAnswer>("/api/actions", { ...action, dryRun });
      const { audited } = answer;
      const effect =
        user === undefined ? answer.effect : answer.effect.replaceAll(user.subject, () => user.name);
      setProgress(dryRun ? { at: "confirm", effect } : { at: "done", effect, audited });
      if (!dryRun) onActed?.();
    } catch (error) {
      setProgress({ at: "failed", problem: error instanceof Error ? error.message : "The service refused." });
    }
  };
  const ask = () => {
    setProgress({ at: "asking" });
    void send(true);
  };
  const confirm = (effect: string) => {
    setProgress({ at: "acting", effect });
    void send(false);
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
        onClick={subject === null ? askToSignIn : ask}
      >
        {label}
        {about !== undefined && <span class="hidden"> {about}</span>}
      </button>
      {progress.at !== "rest" && progress.at !== "asking" && (
        <ActionDialog
          title={progress.at === "done" ? "Done" : about === undefined ? label : `${label} ${about}`}
          label={label}
          isFinal={isFinal}
          progress={progress}
          onConfirm={confirm}
          onClose={close}
        />
      )}
    </>
  );
}

interface ActionDialogProps {
  readonly title: string;
  readonly label: string;
  readonly isFinal: boolean;
  readonly progress: Exclude<Progress, { readonly at: "rest" | "asking" }>;
  readonly onConfirm: (effect: string) => void;
  readonly onClose: () => void;
}

function ActionDialog({
  title,
  label,
  isFinal,
  progress,
  onConfirm,
  onClose,
}: ActionDialogProps): JSX.Element {
  return (
    <Dialog title={title} onClose={onClose}>
      {(progress.at === "confirm" || progress.at === "acting") && <p>This {progress.effect}.</p>}
      {progress.at === "done" && (
        <p role="status">
          The service {progress.effect}.{" "}
          {progress.audited === false && "The store did not keep the audit event."}
        </p>
      )}
      {progress.at === "failed" && (
        <p class="error" role="alert">
          {progress.problem}
        </p>
      )}
      <div class="dialog-buttons">
        <button type="button" onClick={onClose}>
          {progress.at === "confirm" ? "Cancel" : "Close"}
        </button>
        {(progress.at === "confirm" || progress.at === "acting") && (
          <button
            type="button"
            class={isFinal ? "danger" : "primary"}
            disabled={progress.at === "acting"}
            onClick={() => onConfirm(progress.effect)}
          >
            {label}
          </button>
        )}
      </div>
    </Dialog>
  );
}
