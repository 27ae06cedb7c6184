// The aggregator in Node that P5 and P6 measure beside the gateway: fastify and undici,
// clustered on two. Two searches at each source, all sources at once; their records
// merged by instant and written. No policy, token or audit.
import cluster from "node:cluster";
import process from "node:process";
import Fastify from "fastify";
import { Agent, request } from "undici";

const [port, ...given] = process.argv.slice(2);
const sources = given.map((each, n) => {
  const cut = each.lastIndexOf("|");
  const ods = `Z9B${String(n).padStart(3, "0")}`;
  return { ods, base: each.slice(0, cut), name: each.slice(cut + 1) };
});
const dispatcher = new Agent({ connections: 256 });

async function search(url, form) {
  const reply = await request(url, {
    method: "POST",
    dispatcher,
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(form).toString(),
  });
  return reply.body.json();
}

function told(record, ods) {
  const what = record.code ?? record.vaccineCode ?? record.type?.[0];
  const span = record.period ?? record.performedPeriod;
  const start =
    record.effectiveDateTime ??
    record.occurrenceDateTime ??
    record.onsetDateTime ??
    span?.start;
  return {
    at: Date.parse(start),
    event: {
      kind: record.resourceType,
      title: what?.text ?? null,
      status: record.status ?? "unknown",
      start,
      end: span?.end ?? null,
      codes: (what?.coding ?? []).map(({ system, code, display }) => ({
        system,
        code,
        display,
      })),
      detail: record.valueQuantity
        ? { value: record.valueQuantity.value, unit: record.valueQuantity.unit }
        : null,
      provenance: { source: ods, record_id: record.id },
    },
  };
}

async function eventsOf({ ods, base, name }, number) {
  const people = await search(`${base}/Patient/_search`, { identifier: number });
  const person = people.entry[0].resource.id;
  const found = await search(`${base}/${name}/_search`, {
    patient: `Patient/${person}`,
    _count: "1000",
  });
  return (found.entry ?? []).map((entry) => told(entry.resource, ods));
}

async function serve() {
  const app = Fastify();
  app.post("/v1/journeys", async (asked) => {
    const number = asked.body.nhs_number;
    const found = await Promise.all(sources.map((each) => eventsOf(each, number)));
    const all = found.flat().sort((one, other) => one.at - other.at);
    return { events: all.map((each) => each.event) };
  });
  await app.listen({ host: "127.0.0.1", port: Number(port) });
}

if (cluster.isPrimary) {
  cluster.fork();
  cluster.fork();
  process.on("SIGTERM", () => {
    for (const worker of Object.values(cluster.workers)) worker.kill();
    process.exit(0);
  });
} else {
  await serve();
}
