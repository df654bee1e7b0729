// Sends one message by types made from the description, and waits for its receipt.

import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const { SMSHUB_URL: baseUrl, SMSHUB_KEY: key } = process.env;
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });

const { data: accepted, error } = await client.POST("/v1/messages", {
  body: { to: "0912 345 6789", text: "hello", lane: "express" },
});
if (!accepted) throw new Error(`${error.code}: ${error.detail}`);

for (const deadline = Date.now() + 30_000; ; ) {
  const { data: message } = await client.GET("/v1/messages/{id}", {
    params: { path: { id: accepted.id } },
  });
  // Not recorded yet: 404, a problem.
  if (message && message.status !== "queued" && message.status !== "sent") {
    if (message.price !== 1500) throw new Error(`price ${message.price}`);
    console.log(message.status);
    break;
  }
  if (Date.now() > deadline) throw new Error("no receipt");
  await new Promise((resolve) => setTimeout(resolve, 100));
}
