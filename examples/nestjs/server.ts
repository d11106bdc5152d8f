import { applyDecorators, Controller, Get, UseGuards } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { Auth, protect, type ValidVerdict } from "holdfast/nestjs";
import { guardWithOwnIssuer, type Claims } from "../own-issuer.ts";

const guard = await guardWithOwnIssuer();

class Orders {
  me({ subject, claims, scopes }: ValidVerdict<Claims>): object {
    return { subject, tenant: claims.tenant, scopes };
  }

  list({ claims }: ValidVerdict<Claims>): object {
    return { orders: [`the first order of ${claims.tenant}`] };
  }
}

// Node runs this file without a compiler, and it does not support decorators yet, so the example calls them. With a compiler
// you write:
//   @Get("orders") @UseGuards(protect(guard, { scopes: ["orders:read"] })) list(@Auth() auth: ValidVerdict<Claims>)
function decorate(method: keyof Orders, ...decorators: MethodDecorator[]): void {
  const descriptor = Object.getOwnPropertyDescriptor(Orders.prototype, method)!;
  applyDecorators(...decorators)(Orders.prototype, method, descriptor);
  Auth()(Orders.prototype, method, 0);
}
Controller()(Orders);
decorate("me", Get("me"));
decorate("list", Get("orders"), UseGuards(protect(guard, { scopes: ["orders:read"] })));

const app = await NestFactory.create({ module: Orders, controllers: [Orders] }, { logger: ["error"] });
app.useGlobalGuards(protect(guard)); // Every handler needs a token.
const port = Number(process.env["PORT"] ?? 3000);
await app.listen(port, "127.0.0.1");
console.log(`API: http://127.0.0.1:${port}`);
