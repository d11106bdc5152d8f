export {
  invalidOption,
  readString,
  readWholeNumber,
  rejectUnknownOptions,
  requireMethods,
} from "./option-checks.ts";
export {
  clockOption,
  functionOption,
  option,
  readOptions,
  wholeOption,
  type OptionReader,
  type OptionTable,
} from "./option-table.ts";
