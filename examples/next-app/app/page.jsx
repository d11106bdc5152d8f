"use client";

import { useState } from "react";
import { useAuth } from "holdfast/client/react";

export default function Page() {
  const { state, client } = useAuth();
  if (state.status === "loading") return <p>…</p>;
  if (state.status === "out") return <LoginForm client={client} />;
  return (
    <main>
      {state.trouble && <p role="status">The service does not answer. You are still logged in.</p>}
      <Orders client={client} />
      <button onClick={() => client.logout()}>Log out {state.subject}</button>
    </main>
  );
}

function LoginForm({ client }) {
  const [problem, setProblem] = useState("");
  const logIn = async (form) => {
    const credentials = { username: form.get("username"), password: form.get("password") };
    await client.login(credentials).then(
      () => setProblem(""),
      (error) =>
        setProblem(
          error.cause === "invalid_credentials" ? "The password is wrong." : "Please try again later.",
        ),
    );
  };
  return (
    <form action={logIn}>
      <input name="username" aria-label="User" autoComplete="username" />
      <input name="password" aria-label="Password" type="password" autoComplete="current-password" />
      <button>Log in</button>
      {problem && <p role="alert">{problem}</p>}
    </form>
  );
}

function Orders({ client }) {
  const [orders, setOrders] = useState([]);
  const [problem, setProblem] = useState("");
  const load = async () => {
    try {
      const response = await client.fetch("/api/orders");
      if (!response.ok) throw new Error(`The API answered ${response.status}.`);
      setOrders((await response.json()).orders);
      setProblem("");
    } catch (error) {
      setProblem(error.message);
    }
  };
  return (
    <section>
      <button onClick={() => void load()}>Show my orders</button>
      <ul>
        {orders.map((order) => (
          <li key={order}>{order}</li>
        ))}
      </ul>
      {problem && <p role="alert">{problem}</p>}
    </section>
  );
}
