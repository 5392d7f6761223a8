// An order and its event in one transaction, with pg: node order.mjs postgresql://USER@HOST/DATABASE
import pg from "pg";

// Publishes an event when the transaction of `client` commits; gives the event's id.
async function publish(client, tenant, type, data, id, options) {
  const result = await client.query("SELECT tenterhook.publish($1, $2, $3::text, $4, $5) AS id",
    [tenant, type, JSON.stringify(data), id, options ?? null]);
  return result.rows[0].id;
}

async function order(client, number, total) {
  await client.query("BEGIN");
  try {
    await client.query("INSERT INTO orders(no, total) VALUES ($1, $2)", [number, total]);
    await publish(client, "acme", "order.created", { number, total }, `order-${number}-created`,
      { resource_type: "order", resource_id: String(number) });
    if (total < 0) throw new Error("an order of less than nothing");
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  }
}

const client = new pg.Client(process.argv[2]);
await client.connect();
await client.query("CREATE TABLE IF NOT EXISTS orders(no bigint PRIMARY KEY, total numeric NOT NULL)");
await order(client, 3001, 19.9);
await order(client, 3002, -1).catch((error) => console.log(`given up: ${error.message}`));
await client.end();
