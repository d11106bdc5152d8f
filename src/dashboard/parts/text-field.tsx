import type { JSX } from "preact";

/** A field of a form with its label. */
export function TextField({
  label,
  value,
  onValue,
  type = "text",
  autocomplete = "off",
  required = true,
}: {
  label: string;
  value: string;
  onValue: (value: string) => void;
  type?: "text" | "password";
  autocomplete?: "off" | "username" | "current-password";
  required?: boolean;
}): JSX.Element {
  const shared = {
    autocomplete,
    spellcheck: false,
    required,
    value,
    onInput: (event: { currentTarget: HTMLInputElement }) => onValue(event.currentTarget.value),
  };
  return (
    <label>
      {label}
      {type === "password" ? <input type="password" {...shared} /> : <input type="text" {...shared} />}
    </label>
  );
}
