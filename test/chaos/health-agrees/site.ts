import { startApplication } from "../../gateway/application.ts";
import { startNginx } from "../../gateway/proxies.ts";
import {
  portOf,
  startDeployment,
  type Deployment,
  type DeploymentOptions,
} from "../../support/faults/deployment.ts";
import { get, Users } from "../../support/faults/users.ts";

/** A deployment behind a real nginx, with an application. */
export interface Site extends Deployment {
  readonly users: Users;
}

export async function startSite(options: DeploymentOptions = {}): Promise<Site> {
  const deployment = await startDeployment(options);
  const parts: (() => Promise<unknown>)[] = [deployment.stop];
  const stop = async () => {
    for (const part of parts.splice(0).toReversed()) await part();
  };
  try {
    const { issuer, gateway, provider } = deployment;
    const application = await startApplication();
    parts.push(async () => await application.stop());
    const proxy = await startNginx(
      Number(portOf(gateway.url)),
      `include ops:holdfast.conf;
       location / { proxy_pass http://application; }
       location /auth/ { auth_request off; proxy_pass http://issuer; }`,
      `upstream application { server 127.0.0.1:${application.port}; }
       upstream issuer { server 127.0.0.1:${portOf(issuer.url)}; }`,
    );
    parts.push(async () => await proxy.stop());
    const address = `http://127.0.0.1:${proxy.port}`;
    const entrance = {
      authUrl: address,
      request: async (path: string, token: string) => await get(address + path, token),
    };
    return { ...deployment, users: await Users.logIn(entrance, provider), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
