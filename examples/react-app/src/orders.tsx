import { useState } from "react";
import { Ended } from "holdfast/client";
import { useAuth } from "holdfast/client/react";
import { service } from "./client.ts";

export function Orders() {
  const { client } = useAuth();
  const [orders, setOrders] = useState<readonly string[]>([]);
  const [note, setNote] = useState("");

  async function load(): Promise<void> {
    try {
      const response = await client.fetch(`${service}/orders`);
      if (!response.ok) return setNote(`The service answered with ${response.status}.`);
      const body = (await response.json()) as { orders: string[] };
      setOrders(body.orders);
      setNote(`Loaded at ${new Date().toLocaleTimeString()}.`);
    } catch (error) {
      if (!(error instanceof Ended)) setNote("The service does not answer. Try again."); // The login form replaces this page.
    }
  }
  return (
    <section className="card">
      <h2>My orders</h2>
      <ul>
        {orders.map((order) => (
          <li key={order}>{order}</li>
        ))}
      </ul>
      <button className="strong" onClick={() => void load()}>
        Load orders
      </button>
      <p role="status">{note}</p>
    </section>
  );
}
