// Every documented call of toxiproxy-node-client, against the API at argv[2], with a server that echoes at argv[3].
"use strict";
const assert = require("node:assert/strict");
const net = require("node:net");
const { Toxiproxy } = require("toxiproxy-node-client");

const [, , api, upstream] = process.argv;

// What comes back, and how long it took in milliseconds.
function echoed(listen, message = "hello") {
  const [host, port] = listen.split(":");
  const started = performance.now();
  return new Promise((resolve, reject) => {
    let back = "";
    const link = net.connect({ host, port, allowHalfOpen: true }, () => link.end(message));
    link.setEncoding("utf8").setTimeout(10_000, () => link.destroy(new Error("no answer")));
    link.on("data", (more) => (back += more)).on("error", reject);
    link.on("end", () => resolve({ back, took: performance.now() - started }));
  });
}

async function main() {
  const server = new Toxiproxy(api);
  assert.match(await server.getVersion(), /"2\.12\.0"/);

  const proxy = await server.createProxy({ name: "js", listen: "127.0.0.1:0", upstream });
  assert.deepEqual(proxy.toJson(), { enabled: true, listen: proxy.listen, name: "js", upstream });
  assert.equal((await echoed(proxy.listen)).back, "hello");
  assert.equal(proxy.getToxiproxy(), server);
  assert.equal(proxy.getHost(), api);
  await assert.rejects(server.createProxy({ name: "js", listen: "127.0.0.1:0", upstream }), /409|already exists/);
  assert.equal((await server.get("js")).listen, proxy.listen);
  await assert.rejects(server.get("nobody"), /404|not found/);

  const made = await server.populate([
    { name: "js", listen: proxy.listen, upstream },
    { name: "js_more", listen: "127.0.0.1:0", upstream },
  ]);
  assert.deepEqual(Object.keys(made), ["js", "js_more"]);
  assert.deepEqual(Object.keys(await server.getAll()).sort(), ["js", "js_more"]);

  const slow = await proxy.addToxic({ type: "latency", attributes: { latency: 200, jitter: 0 } });
  assert.deepEqual(slow.toJson(), {
    attributes: { latency: 200, jitter: 0 },
    name: "latency_downstream",
    stream: "downstream",
    toxicity: 1,
    type: "latency",
  });
  const { back, took } = await echoed(proxy.listen);
  assert.ok(back === "hello" && took >= 199, `${back} after ${took} ms`);
  const updated = await slow.update({ attributes: { jitter: 5 }, toxicity: 0.5 });
  assert.deepEqual([updated.attributes, updated.toxicity], [{ latency: 200, jitter: 5 }, 0.5]);
  assert.deepEqual((await proxy.getToxic("latency_downstream")).toJson(), updated.toJson());
  for (const type of ["bandwidth", "slow_close", "timeout", "slicer", "limit_data", "reset_peer"]) {
    const toxic = await proxy.addToxic({ type, name: `my ${type}`.replace(" ", "_"), stream: "upstream", toxicity: 0 });
    assert.equal(toxic.stream, "upstream");
    await toxic.remove();
    await assert.rejects(proxy.getToxic(toxic.name), /404|not found/);
  }
  await assert.rejects(proxy.addToxic({ type: "nonsense" }), /400|invalid toxic type/);

  const down = await proxy.update({ enabled: false, listen: proxy.listen, upstream });
  assert.equal(down.enabled, false);
  await assert.rejects(echoed(proxy.listen), { code: "ECONNREFUSED" });
  await server.reset();
  assert.equal((await server.get("js")).enabled, true);
  await assert.rejects(proxy.getToxic("latency_downstream"), /404|not found/);
  assert.equal((await echoed(proxy.listen)).back, "hello");

  await proxy.remove();
  await assert.rejects(proxy.remove(), /404|not found/);
  await made.js_more.remove();
  assert.deepEqual(await server.getAll(), {});
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
