import { isIP } from "node:net";

type Environment = Readonly<Record<string, string | undefined>>;

const PROTOCOL = /^(?:tcp|udp|sctp)$/;
const ENDPOINT = /^(?:tcp|udp|sctp):\/\//;
const isNumber = (text: string) => /^\d{1,5}$/.test(text);
const isAddress = (text: string) => isIP(text) !== 0;

/** The variables of a service link by their names after the service, with the form of their values. */
const linkForms: readonly (readonly [name: RegExp, hasForm: (value: string) => boolean])[] = [
  [/_SERVICE_HOST$/, isAddress],
  [/_SERVICE_PORT(?:_\w+)?$/, isNumber],
  [/_PORT$/, (value) => ENDPOINT.test(value)],
  [/_PORT_\d+_(?:TCP|UDP|SCTP)$/, (value) => ENDPOINT.test(value)],
  [/_PORT_\d+_(?:TCP|UDP|SCTP)_PROTO$/, (value) => PROTOCOL.test(value)],
  [/_PORT_\d+_(?:TCP|UDP|SCTP)_PORT$/, isNumber],
  [/_PORT_\d+_(?:TCP|UDP|SCTP)_ADDR$/, isAddress],
];

/**
 * Finds the variables that Kubernetes sets in every pod beside a Service whose name is `holdfast`, or begins with
 * `holdfast-`. They describe that Service and do not configure this one. A variable is one of them by its name and its value.
 */
export function findServiceLinks(env: Environment): string[] {
  return Object.entries(env).flatMap(([name, value = ""]) => {
    const isLink =
      name.startsWith("HOLDFAST_") && linkForms.some(([form, hasForm]) => form.test(name) && hasForm(value));
    return isLink ? [name] : [];
  });
}
