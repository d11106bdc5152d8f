import { invalidValue } from "../core/option-values.ts";
import { option, readString, type OptionReader } from "../core/options.ts";

/** A text that the provider's console shows. */
export const textOption: OptionReader<string> = option(readString);

/** One text or a list of them. */
export const textsOption: OptionReader<readonly string[]> = option(readTexts);

/** One text, a list of them, or nothing. */
export const optionalTexts: OptionReader<readonly string[] | undefined> = option((name, value) =>
  value === undefined ? undefined : readTexts(name, value),
);

/** An http or https address. Slashes at its end are dropped, because consoles show it with and without one. */
export const urlOption: OptionReader<string> = option(readUrl);

export const optionalUrl: OptionReader<string | undefined> = option((name, value) =>
  value === undefined ? undefined : readUrl(name, value),
);

/** A host name such as `example.eu.auth0.com`. The address of the host, as some consoles show it, is accepted, too. */
export const domainOption: OptionReader<string> = option((name, value) => {
  const text = readString(name, value)
    .replace(/^https:\/\//, "")
    .replace(/\/$/, "");
  if (text.includes(".") && URL.parse(`https://${text}/`)?.host === text) return text;
  throw invalidValue(name, "a domain such as example.eu.auth0.com", value);
});

function readTexts(name: string, value: unknown): readonly string[] {
  const texts: unknown[] = Array.isArray(value) ? value : [value];
  if (texts.length === 0) throw invalidValue(name, "a text or a list of at least one", value);
  return texts.map((text, index) => readString(Array.isArray(value) ? `${name}[${index}]` : name, text));
}

function readUrl(name: string, value: unknown): string {
  const parsed = URL.parse(readString(name, value));
  const isPlain = parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.username === "";
  if (!isPlain || parsed.search !== "" || parsed.hash !== "") {
    throw invalidValue(name, "an http or https address without credentials, query and fragment", value);
  }
  return (value as string).replace(/\/+$/, "");
}
