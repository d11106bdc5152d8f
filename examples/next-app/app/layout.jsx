import { Session } from "./session.jsx";

export const metadata = { title: "Orders", icons: "data:," };

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <Session>{children}</Session>
      </body>
    </html>
  );
}
