/** How one setting is read. The help of `holdfast serve` and docs/reference/settings.md show the form and the default. */
export interface SettingDefinition<T = unknown> {
  /** Completes the sentence "the setting must be …". */
  readonly form: string;
  /** Returns `undefined` for a text that it refuses. */
  readonly parse: (text: string) => T | undefined;
  /** Says what is wrong with a text that `parse` refuses. It must not quote the text. `undefined` when it cannot say more. */
  readonly explain?: (text: string) => string | undefined;
  /** The text that is parsed when the setting is missing. */
  readonly default?: string;
  /** Describes the behaviour without the setting, for a setting without a default. */
  readonly otherwise?: string;
}

/** The definition of every setting of a group. */
export type SettingDefinitions<Values> = {
  readonly [N in keyof Values]-?: SettingDefinition<Required<Values>[N]>;
};
