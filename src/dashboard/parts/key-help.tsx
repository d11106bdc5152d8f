import type { JSX } from "preact";
import { routes } from "../data/routes.ts";
import { Dialog } from "./dialog.tsx";

/** Lists the keys. */
export function KeyHelp({ onClose }: { onClose: () => void }): JSX.Element {
  return (
    <Dialog title="Keys of this page" onClose={onClose}>
      <dl class="keys-list">
        {routes.map(({ key, title }) => (
          <>
            <dt>
              <kbd>g</kbd> <kbd>{key}</kbd>
            </dt>
            <dd>{title}</dd>
          </>
        ))}
        <dt>
          <kbd>/</kbd>
        </dt>
        <dd>the first field of the view</dd>
        <dt>
          <kbd>?</kbd>
        </dt>
        <dd>this list</dd>
        <dt>
          <kbd>Esc</kbd>
        </dt>
        <dd>closes a dialog</dd>
      </dl>
      <div class="dialog-buttons">
        <button type="button" class="primary" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
