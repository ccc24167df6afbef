// Shows /lab/world and asks for it again. Text from the world only ever becomes text nodes.
"use strict";

const EVERY_MS = 1000;
const opened = new Map();
const shown = new Map();
let services = [];

const at = (id) => document.getElementById(id);

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function table(title, heads, rows, fixed) {
  const box = element("section");
  box.append(element("h3", title));
  if (rows.length === 0) {
    box.append(element("p", "none", "label"));
    return box;
  }
  const made = element("table");
  const head = element("tr");
  heads.forEach((text) => {
    const cell = element("th", text);
    cell.scope = "col";
    head.append(cell);
  });
  made.append(head);
  rows.forEach((row) => {
    const line = element("tr");
    row.forEach((text, index) => line.append(element("td", text, fixed.includes(index) ? "fixed" : "")));
    made.append(line);
  });
  box.append(made);
  return box;
}

const clock = (time) => (time ? time.slice(11, 19) : "");

function inside(service) {
  const box = element("div", null, "inside");
  box.append(
    table("Deployments", ["Id", "Status", "Rollout", "Running", "Wanted", "Failed", "Task definition"],
      service.deployments.map((one) =>
        [one.id, one.status, one.rollout, one.running, one.desired, one.failed, one.task_definition]),
      [0, 1, 2, 3, 4, 5]),
    table("Tasks", ["Id", "Status", "Health", "Since", "Why it stopped"],
      service.tasks.map((one) => [one.id, one.status, one.health, clock(one.since), one.reason]),
      [0, 1, 2, 3]),
    table("Targets", ["Target", "State", "Why"],
      service.targets.map((one) => [`${one.id}:${one.port}`, one.state, one.reason]), [0, 1]),
    table("Events", ["Time", "Message"],
      service.events.map((one) => [clock(one.at), one.message]), [0]),
  );
  return box;
}

function draw(service) {
  const text = JSON.stringify(service);
  const known = shown.get(service.arn);
  if (known && known.text === text) return known.node;
  const node = known ? known.node : element("details");
  if (!known) {
    node.open = opened.get(service.arn) ?? service.state !== "steady";
    node.addEventListener("toggle", () => opened.set(service.arn, node.open));
    node.append(element("summary"), element("div"));
  }
  const name = element("span", service.name, "name");
  name.append(element("span", `${service.cluster}, ${service.region}, ${service.account}`, "place"));
  const counts = `${service.running} running, ${service.pending} pending, ${service.desired} wanted`;
  const kind = { steady: "good", failing: "bad" }[service.state] ?? "busy";
  node.firstChild.replaceChildren(name, element("span", counts, "counts"),
    element("span", service.state, `state ${kind}`));
  node.lastChild.replaceWith(inside(service));
  shown.set(service.arn, { text, node });
  return node;
}

function render() {
  const wanted = at("filter").value.trim().toLowerCase();
  const chosen = services.filter((one) => `${one.cluster}/${one.name}`.toLowerCase().includes(wanted));
  const nodes = chosen.map(draw);
  const list = at("services");
  // Moving a node would lose the focus inside it.
  const same = nodes.length === list.children.length && nodes.every((node, i) => node === list.children[i]);
  if (!same) list.replaceChildren(...nodes);
  const well = services.filter((one) => one.state === "steady").length;
  const summary = `${well} of ${services.length} services steady`;
  if (at("summary").textContent !== summary) at("summary").textContent = summary;
}

async function look() {
  try {
    const answer = await fetch("/lab/world", { cache: "no-store" });
    if (!answer.ok) throw new Error(`the lab answered ${answer.status}`);
    const world = await answer.json();
    at("request").textContent = `“${world.request}”`;
    at("clock").textContent = `${world.now.slice(0, 10)} ${clock(world.now)} UTC`;
    at("clock").dateTime = world.now;
    services = world.services;
    at("trouble").hidden = true;
    render();
  } catch (error) {
    at("trouble").textContent = `The lab does not answer (${error.message}). This page asks again by itself.`;
    at("trouble").hidden = false;
  }
  setTimeout(look, EVERY_MS);
}

at("filter").addEventListener("input", render);
look();
