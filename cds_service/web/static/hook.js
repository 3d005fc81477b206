// CDS Hooks as a client: discovery, prefetch, signed calls, feedback.

import { list } from "./dom.js";
import { call } from "./http.js";
import { newUuid } from "./uuid.js";

export class Services {
  // `base` is where discovery is; `token` where this EHR signs (empty: it does not); `record` reads FHIR.
  constructor({ base, token, record }) {
    Object.assign(this, { base, token, record });
    this.held = new Map();
    this.offered = null;
  }

  // Discovery is asked once; a failure is asked again.
  async all() {
    this.offered ??= this.discover();
    const found = await this.offered;
    if (!found.length) this.offered = null;
    return found;
  }

  async discover() {
    const answer = await this.signed("GET", this.base);
    return list(answer.body?.services).filter((service) => typeof service?.id === "string");
  }

  async find(id) {
    return (await this.all()).find((service) => service.id === id);
  }

  // What was read for one call serves those that follow, until this is called.
  forget() {
    this.held.clear();
  }

  async call(id, body, { route, signal }) {
    const whole = { ...body, hookInstance: newUuid() };
    delete whole.fhirServer;
    delete whole.prefetch;
    if (route !== "prefetch") whole.fhirServer = this.record.server;
    if (route !== "server") whole.prefetch = await this.prefetched(id, whole.context);
    return this.signed("POST", `${this.base}/${id}`, whole, signal);
  }

  feedback(id, entry) {
    const feedback = [{ ...entry, outcomeTimestamp: new Date().toISOString() }];
    return this.signed("POST", `${this.base}/${id}/feedback`, { feedback });
  }

  // Each call carries a token of its own, made for its address.
  async signed(method, path, body, signal) {
    const url = new URL(path, location.href).href;
    const headers = this.token ? { Authorization: `Bearer ${await this.newToken(url)}` } : {};
    return call(method, url, body, { headers, signal });
  }

  async newToken(audience) {
    const answer = await call("POST", this.token, { audience });
    return answer.body?.token ?? "";
  }

  // Fields that a template cannot name leave their key out, as CDS Hooks has it.
  async prefetched(id, context) {
    const service = await this.find(id);
    const asked = Object.entries(service?.prefetch ?? {})
      .map(([key, template]) => [key, filled(template, context)])
      .filter(([, query]) => query);
    const answers = await Promise.all(asked.map(([, query]) => this.once(query)));
    const pairs = asked.map(([key], place) => [key, answers[place].body]);
    return Object.fromEntries(pairs.filter(([, body]) => typeof body?.resourceType === "string"));
  }

  once(query) {
    if (!this.held.has(query)) this.held.set(query, this.record.read(query));
    return this.held.get(query);
  }
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
