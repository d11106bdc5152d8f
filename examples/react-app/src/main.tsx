import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { AuthProvider } from "holdfast/client/react";
import { App } from "./app.tsx";
import { client } from "./client.ts";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html must have an element #root");
createRoot(root).render(
  <StrictMode>
    <AuthProvider client={client}>
      <App />
    </AuthProvider>
  </StrictMode>,
);
