import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import { readSecretFiles } from "../../src/server/secret-files.ts";
import { readSettings, type Settings } from "../../src/server/settings.ts";
import { isMissing } from "../gateway/proxies.ts";
import { fromRoot, isProgramMissing, readFromRoot } from "./support.ts";

const secrets: Readonly<Record<string, string>> = {
  HOLDFAST_SECRET_FILE: "s".repeat(64),
  REDIS_URL_FILE: "rediss://user:password@redis.example.com:6379",
  HOLDFAST_ADMIN_TOKEN_FILE: "a".repeat(64),
};

/** Reads the settings of a deployment, with secret files that hold usable texts. */
async function readDeployed(env: Readonly<Record<string, string>>): Promise<Settings> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-ops-"));
  try {
    const replaced = Object.entries(env).map(([name, value]) => {
      const text = secrets[name];
      const plain = value.replace(/^\$\{\w+:-(.*)\}$/, "$1");
      if (text === undefined) return [name, plain] as const;
      const file = join(folder, name);
      writeFileSync(file, `${text}\n`, { mode: 0o600 });
      return [name, file] as const;
    });
    return readSettings(await readSecretFiles(Object.fromEntries(replaced)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const composeSchema = z.object({
  services: z.record(
    z.string(),
    z.object({
      image: z.string().optional(),
      environment: z.record(z.string(), z.string()).optional(),
      secrets: z.array(z.string()).default([]),
      networks: z.union([z.array(z.string()), z.record(z.string(), z.object({ ipv4_address: z.string() }))]),
      ports: z.array(z.string()).default([]),
      read_only: z.boolean().default(false),
      volumes: z.array(z.string()).default([]),
      depends_on: z.union([z.array(z.string()), z.record(z.string(), z.unknown())]).default([]),
    }),
  ),
  networks: z.record(z.string(), z.unknown()),
  volumes: z.record(z.string(), z.unknown()),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
});

test("compose.yaml starts the service with settings that it accepts", async () => {
  const compose = composeSchema.parse(parse(readFromRoot("ops/docker/compose.yaml")));
  const { holdfast, nginx, redis, application } = compose.services;
  assert.ok(
    holdfast?.environment !== undefined &&
      nginx !== undefined &&
      redis !== undefined &&
      application !== undefined,
  );
  const settings = await readDeployed(holdfast.environment);
  assert.equal(settings.redis?.url, "redis://redis:6379");
  assert.equal(settings.adminToken?.length, 64);
  // The service believes the nginx of the file, and nothing else in the network.
  assert.ok(!Array.isArray(nginx.networks));
  assert.ok(settings.trustedProxies.check(nginx.networks["inside"]?.ipv4_address ?? ""));
  assert.ok(!settings.trustedProxies.check("172.30.41.2"));
  // Only nginx is reached from outside.
  assert.deepEqual(
    Object.entries(compose.services).flatMap(([name, { ports }]) => (ports.length > 0 ? [name] : [])),
    ["nginx"],
  );
  assert.ok(holdfast.read_only && redis.read_only && nginx.read_only);
});

test("compose.yaml names only services, networks, volumes and secrets that it defines", () => {
  const compose = composeSchema.parse(parse(readFromRoot("ops/docker/compose.yaml")));
  for (const service of Object.values(compose.services)) {
    for (const secret of service.secrets) assert.ok(secret in compose.secrets, secret);
    const networks = Array.isArray(service.networks) ? service.networks : Object.keys(service.networks);
    for (const network of networks) assert.ok(network in compose.networks, network);
    const needed = Array.isArray(service.depends_on) ? service.depends_on : Object.keys(service.depends_on);
    for (const name of needed) assert.ok(name in compose.services, name);
    for (const volume of service.volumes.map((each) => each.split(":")[0] ?? "")) {
      assert.ok(volume.startsWith("./") || volume in compose.volumes, volume);
    }
    const files = Object.values(service.environment ?? {}).filter((value) =>
      value.startsWith("/run/secrets/"),
    );
    for (const file of files) assert.ok(service.secrets.includes(file.slice("/run/secrets/".length)), file);
  }
});

test("the nginx configuration of compose.yaml is accepted by nginx", { skip: isMissing("nginx") }, () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-ops-"));
  try {
    mkdirSync(join(folder, "logs"));
    const bodies = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    const paths = bodies.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(" ");
    // Names of the network and folders of the container do not exist here.
    const text = readFromRoot("ops/docker/nginx.conf")
      .replace("pid /run/nginx.pid;", `pid ${folder}/pid; error_log stderr;`)
      .replace("http {", `http { access_log off; ${paths}`)
      .replaceAll(/server (?:holdfast|application):/g, "server 127.0.0.1:")
      .replaceAll("/etc/nginx/holdfast/", fromRoot("ops/nginx/"));
    writeFileSync(join(folder, "nginx.conf"), text);
    const checked = spawnSync(
      "nginx",
      ["-t", "-p", folder, "-c", join(folder, "nginx.conf"), "-e", "stderr"],
      {
        encoding: "utf8",
      },
    );
    assert.equal(checked.status, 0, checked.stderr);
    assert.doesNotMatch(checked.stderr, /\[(?:warn|emerg|error)\]/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const unit = "ops/systemd/holdfast.service";
const noSystemd = isProgramMissing("systemd-analyze");

test("the systemd unit is well-formed", { skip: noSystemd }, (t) => {
  const checked = spawnSync("systemd-analyze", ["verify", fromRoot(unit)], { encoding: "utf8" });
  const { stderr } = checked;
  // The check looks for the program itself, which is not at this path on every machine.
  if (stderr.includes("/usr/bin/node is not executable"))
    return t.diagnostic("/usr/bin/node is missing here");
  assert.equal(stderr, "");
  return assert.equal(checked.status, 0);
});

test("the systemd unit is exposed to little", { skip: noSystemd }, (t) => {
  const checked = spawnSync("systemd-analyze", ["security", "--offline=true", fromRoot(unit)], {
    encoding: "utf8",
  });
  const level = /Overall exposure level for holdfast\.service: ([\d.]+)/.exec(checked.stdout)?.[1];
  if (level === undefined)
    return t.skip(`systemd-analyze cannot judge a file here: ${checked.stderr.slice(0, 80)}`);
  return assert.ok(Number(level) < 2, level);
});

test("the settings in the systemd unit are settings of the service", async () => {
  const lines = readFromRoot(unit).matchAll(/^#? *Environment=(.+)$/gm);
  const pairs = [...lines].flatMap(([, line = ""]) =>
    line.split(" ").map((pair) => pair.split("=") as [string, string]),
  );
  const settings = await readDeployed(Object.fromEntries(pairs));
  assert.equal(settings.secret?.length, 64);
});

const containerSchema = z.object({
  env: z.array(z.object({ name: z.string(), value: z.string() })),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
  livenessProbe: z.object({
    httpGet: z.object({ path: z.literal("/health/live"), port: z.literal("http") }),
  }),
  readinessProbe: z.object({
    httpGet: z.object({ path: z.literal("/health/ready"), port: z.literal("http") }),
  }),
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })),
  securityContext: z.object({
    allowPrivilegeEscalation: z.literal(false),
    readOnlyRootFilesystem: z.literal(true),
  }),
});
const deploymentSchema = z.object({
  kind: z.literal("Deployment"),
  spec: z.object({
    selector: z.object({ matchLabels: z.object({ app: z.string() }) }),
    template: z.object({
      metadata: z.object({ labels: z.object({ app: z.string() }) }),
      spec: z.object({
        enableServiceLinks: z.literal(false),
        securityContext: z.object({ runAsNonRoot: z.literal(true) }),
        containers: z.tuple([containerSchema]),
        volumes: z.array(z.object({ name: z.string() })),
      }),
    }),
  }),
});
const serviceSchema = z.object({
  kind: z.literal("Service"),
  spec: z.object({
    selector: z.object({ app: z.string() }),
    ports: z.tuple([z.object({ targetPort: z.string() })]),
  }),
});

test("the Kubernetes manifests fit together, with settings that the service accepts", async () => {
  const documents = parseAllDocuments(readFromRoot("ops/kubernetes/holdfast.yaml"));
  const [first, second] = documents.map((each) => each.toJS() as unknown);
  const { spec } = deploymentSchema.parse(first);
  const service = serviceSchema.parse(second);
  const { containers, volumes } = spec.template.spec;
  const [container] = containers;
  const settings = await readDeployed(
    Object.fromEntries(container.env.map(({ name, value }) => [name, value])),
  );
  assert.equal(settings.redis?.url, "rediss://user:password@redis.example.com:6379");
  assert.deepEqual(
    container.ports.map((port) => port.containerPort),
    [settings.port, settings.adminPort],
  );
  assert.deepEqual(service.spec.selector, spec.selector.matchLabels);
  assert.deepEqual(spec.template.metadata.labels, spec.selector.matchLabels);
  assert.ok(container.ports.some(({ name }) => name === service.spec.ports[0].targetPort));
  assert.deepEqual(
    container.volumeMounts.map(({ name }) => name),
    volumes.map(({ name }) => name),
  );
});
