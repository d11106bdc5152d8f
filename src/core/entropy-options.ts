import { systemEntropy, systemRandom, type Entropy } from "./entropy.ts";
import { requireMethods } from "./option-checks.ts";
import { functionOption, type OptionReader } from "./option-table.ts";

/** A source of jitter. The default is `Math.random`. */
export const randomOption: OptionReader<() => number> = functionOption(() => systemRandom);

/** A source of unpredictable bytes. The default is the operating system. Throws `missing_method` in the name of `owner`. */
export function entropyOption(owner: string): OptionReader<Entropy> {
  const read = (_name: string, value: unknown) => {
    if (value === undefined) return systemEntropy;
    requireMethods(owner, "entropy", value, ["bytes", "uuid"]);
    return value as Entropy;
  };
  return { read, default: undefined };
}
