import { useState } from "react";
import { useAuth } from "holdfast/client/react";
import { Feed } from "./feed.tsx";
import { LoginForm } from "./login-form.tsx";
import { Orders } from "./orders.tsx";
import { ServiceSwitch } from "./service-switch.tsx";
import { Sessions } from "./sessions.tsx";

export function App() {
  const { state, client } = useAuth();
  const [page, setPage] = useState<"orders" | "sessions">("orders");
  if (state.status === "loading") return null;
  if (state.status === "out") {
    return (
      <main>
        <LoginForm cause={state.cause} />
        <ServiceSwitch />
      </main>
    );
  }
  return (
    <>
      <header>
        <h1>Orders</h1>
        <nav>
          <button aria-pressed={page === "orders"} onClick={() => setPage("orders")}>
            My orders
          </button>
          <button aria-pressed={page === "sessions"} onClick={() => setPage("sessions")}>
            Sessions
          </button>
        </nav>
        <span>{state.subject}</span>
        <button onClick={() => void client.logout()}>Log out</button>
      </header>
      {state.trouble !== null && (
        <p role="status" className="trouble">
          The service does not answer ({state.trouble.cause}). You are still logged in.
        </p>
      )}
      <main>
        {page === "orders" ? (
          <>
            <Orders />
            <Feed />
          </>
        ) : (
          <Sessions />
        )}
        <ServiceSwitch />
      </main>
    </>
  );
}
