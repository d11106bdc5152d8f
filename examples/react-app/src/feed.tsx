import { useEffect, useState } from "react";
import { useAuth } from "holdfast/client/react";
import { service } from "./client.ts";

/** A live price. The socket stays open over the lives of many tokens, and comes back after an outage. */
export function Feed() {
  const { client } = useAuth();
  const [price, setPrice] = useState<number | null>(null);
  const [connection, setConnection] = useState("connecting");

  useEffect(() => {
    const socket = client.connect(`${service.replace("http", "ws")}/feed`, {
      onOpen: () => setConnection("live"),
      onMessage: (data) => setPrice((JSON.parse(String(data)) as { price: number }).price),
      onLost: (code) => setConnection(`lost (${code}), connecting again`),
      onEnd: ({ code }) => setConnection(`closed (${code})`),
    });
    return () => socket.close();
  }, [client]);

  return (
    <section className="card">
      <h2>Price of tea</h2>
      <output>{price ?? "–"}</output>
      <p role="status">{connection}</p>
    </section>
  );
}
