// CDS Hooks as a client: discovery, prefetch, the order-sign call.

import { call } from "./http.js";
import { read } from "./fhir.js";
import { list } from "./dom.js";

export async function discover(services, id) {
  const answer = await call("GET", services);
  const found = list(answer.body?.services).find((service) => service.id === id);
  return { answer, service: found };
}

export async function orderSign({ services, id, fhir, request, drafts, route }) {
  const context = { ...request.context, draftOrders: bundleOf(request, drafts) };
  const body = {
    ...request,
    hook: "order-sign",
    hookInstance: newUuid(),
    context,
    extension: { ...request.extension, "massage-cds.explain": true },
  };
  delete body.fhirServer;
  delete body.prefetch;
  if (route !== "prefetch") body.fhirServer = fhir;
  if (route !== "server") body.prefetch = await prefetched(services, id, fhir, context);
  return call("POST", `${services}/${id}`, body);
}

function bundleOf(request, drafts) {
  const entry = drafts.map((resource) => ({ resource }));
  return { resourceType: "Bundle", type: "collection", entry };
}

// Fields that a template cannot name leave their key out, as CDS Hooks has it.
async function prefetched(services, id, fhir, context) {
  const { service } = await discover(services, id);
  const asked = Object.entries(service?.prefetch ?? {})
    .map(([key, template]) => [key, filled(template, context)])
    .filter(([, query]) => query);
  const answers = await Promise.all(asked.map(([, query]) => read(fhir, query)));
  const pairs = asked.map(([key], place) => [key, answers[place]]);
  return Object.fromEntries(pairs.filter(([, answer]) => isResource(answer)).map(asValue));
}

function isResource(answer) {
  return typeof answer.body?.resourceType === "string";
}

function asValue([key, answer]) {
  return [key, answer.body];
}

function filled(template, context) {
  let complete = true;
  const query = template.replace(/\{\{\s*([^}]+?)\s*\}\}/g, (_, token) => {
    const value = tokenValue(token, context);
    complete &&= value !== undefined;
    return value;
  });
  return complete ? query : null;
}

function tokenValue(token, context) {
  const [kind, user] = String(context.userId ?? "").split("/");
  const users = {
    userPractitionerId: "Practitioner",
    userPractitionerRoleId: "PractitionerRole",
    userPatientId: "Patient",
    userRelatedPersonId: "RelatedPerson",
  };
  if (token in users) return kind === users[token] ? user : undefined;
  const value = token.startsWith("context.") ? context[token.slice("context.".length)] : undefined;
  return ["string", "number"].includes(typeof value) ? encodeURIComponent(value) : undefined;
}

// randomUUID is missing where the page is opened by a plain http address other than loopback.
function newUuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
