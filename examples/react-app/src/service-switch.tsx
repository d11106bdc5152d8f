import { useState } from "react";

/** Stops and starts the service, to show an outage. An application has no such button. */
export function ServiceSwitch() {
  const [isRunning, setRunning] = useState(true);
  async function toggle(): Promise<void> {
    await fetch(isRunning ? "/stop-service" : "/start-service", { method: "POST" });
    setRunning(!isRunning);
  }
  return (
    <section className="card">
      <h2>The service</h2>
      <p>{isRunning ? "It is running." : "It is stopped."}</p>
      <button onClick={() => void toggle()}>{isRunning ? "Stop the service" : "Start the service"}</button>
    </section>
  );
}
