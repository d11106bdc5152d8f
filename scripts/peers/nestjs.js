import { Controller, Get, Module, Req, UseGuards } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { protect } from "holdfast/nestjs";
import { checkRoute, finish, guard } from "./kit.js";

await import("reflect-metadata");

class Greeter {
  greet(request) {
    return `hello ${request.auth.subject}`;
  }
}
/* The decorators of TypeScript, written as calls. */
const greet = Object.getOwnPropertyDescriptor(Greeter.prototype, "greet");
Get()(Greeter.prototype, "greet", greet);
UseGuards(protect(guard, { scopes: ["read"] }))(Greeter.prototype, "greet", greet);
Req()(Greeter.prototype, "greet", 0);
Controller()(Greeter);
class App {
  name = "app";
}
Module({ controllers: [Greeter] })(App);

const app = await NestFactory.create(App, { logger: false });
await app.listen(0, "127.0.0.1");
await checkRoute(`http://127.0.0.1:${app.getHttpServer().address().port}/`);
await finish();
