// LangGraph's JavaScript client carries a whole repair through: `node repair.mjs URL [API_KEY]`.
// Prints one line of JSON with what it saw.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [modules, apiUrl, apiKey] = process.argv.slice(2);
const found = createRequire(`${modules}/`).resolve("@langchain/langgraph-sdk");
const { Client } = await import(pathToFileURL(found));
const client = new Client({ apiUrl, ...(apiKey ? { apiKey } : {}) });
const graph = "ecs_deep_agent";

const [assistant] = await client.assistants.search({ graphId: graph });
const { nodes } = await client.assistants.getGraph(assistant.assistant_id);
const schemas = await client.assistants.getSchemas(assistant.assistant_id);
const { thread_id: thread } = await client.threads.create();

async function streamed(payload) {
  const seen = [];
  let last;
  for await (const part of client.runs.stream(thread, graph, { streamMode: ["values", "updates"], ...payload })) {
    seen.push(part.event);
    if (part.event === "values") last = part.data;
  }
  return { seen: [...new Set(seen)], last };
}

const asked = await streamed({
  input: { messages: [{ role: "user", content: "my api service keeps restarting" }] },
});
const waiting = await client.threads.getState(thread);
const [interrupt] = waiting.tasks[0].interrupts;
const at = await client.threads.getState(thread, waiting.checkpoint);
const resumed = await streamed({ command: { resume: { decisions: [{ type: "approve" }] } } });
const ended = await client.threads.get(thread);
const history = await client.threads.getHistory(thread, { limit: 100 });

console.log(JSON.stringify({
  assistant: assistant.assistant_id,
  nodes: nodes.map(({ id }) => id),
  schemas: Object.keys(schemas),
  asked: asked.seen,
  interrupt: interrupt.value.kind,
  hash: interrupt.value.plan_hash,
  same: at.checkpoint.checkpoint_id === waiting.checkpoint.checkpoint_id,
  resumed: resumed.seen,
  status: ended.status,
  report: Boolean(resumed.last.report),
  verification: resumed.last.verification,
  last: resumed.last.messages.at(-1).content,
  states: history.length,
}));
