import { generateKeyPairSync, randomUUID, sign } from "node:crypto";

/** Encodes one value in DER (X.690 §8.1). */
function der(tag: number, ...parts: readonly (Buffer | string)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part as string, "latin1")));
  const size = content.length;
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

const sequence = (...parts: readonly Buffer[]) => der(0x30, ...parts);
const oid = (hex: string) => der(0x06, Buffer.from(hex, "hex"));
const time = (ms: number) => der(0x18, new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, ""));

const ecdsaWithSha256 = sequence(oid("2a8648ce3d040302"));
const commonName = oid("550403");
const subjectAltName = oid("551d11");

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Makes a self-signed certificate (RFC 5280 §4.1) for 127.0.0.1 or another host. */
export function makeCertificate(options: { host?: string; from: number; to: number }): Certificate {
  const { host, from, to } = options;
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  // OpenSSL looks up a trusted certificate by its name, so each one has a name of its own.
  const name = sequence(der(0x31, sequence(commonName, der(0x0c, randomUUID()))));
  const address = host === undefined ? der(0x87, Buffer.from([127, 0, 0, 1])) : der(0x82, host);
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ecdsaWithSha256,
    name,
    sequence(time(from), time(to)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(sequence(subjectAltName, der(0x04, sequence(address))))),
  );
  const signature = der(0x03, Buffer.from([0]), sign("sha256", body, privateKey));
  const certificate = sequence(body, ecdsaWithSha256, signature).toString("base64");
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${certificate}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };
}
