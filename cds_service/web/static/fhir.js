// What the page asks of the patient's FHIR server.

import { call } from "./http.js";
import { newUuid } from "./uuid.js";

const FHIR_JSON = { Accept: "application/fhir+json" };

export class Record {
  // `reads` is where the page reads, `server` what the service is told; only one that `keeps` takes writes.
  constructor({ reads, server, keeps }) {
    Object.assign(this, { reads, server, keeps });
  }

  read(reference) {
    return call("GET", `${this.reads}/${reference}`, undefined, { headers: FHIR_JSON });
  }

  // Actions belong together: one transaction carries them out, or none of them. Gives what was made of
  // each resource.
  async apply(actions) {
    if (!this.keeps) return { ok: true, made: actions.map(asMade) };
    const entry = actions.map(asEntry);
    const bundle = { resourceType: "Bundle", type: "transaction", entry };
    const answer = await call("POST", this.reads, bundle, { headers: FHIR_JSON });
    return { ...answer, made: list(answer.body?.entry).map((one) => one.resource) };
  }

  // The tasks of the patient's list, as far as they can be had; on a server without our writes there are none of ours.
  async tasks(patient) {
    if (!this.keeps) return [];
    const answer = await this.read(`Task?patient=${encodeURIComponent(patient)}&_count=200`);
    return answer.ok ? list(answer.body?.entry).map((one) => one.resource).filter(Boolean) : [];
  }
}

function asMade({ type, resource }) {
  return type === "create" ? { ...resource, id: newUuid() } : resource;
}

function asEntry({ type, resource, resourceId }) {
  if (type === "create") {
    const fullUrl = resource.id ? `urn:uuid:${resource.id}` : undefined;
    return { fullUrl, resource, request: { method: "POST", url: resource.resourceType } };
  }
  const target = localReference(resource, resourceId);
  if (type === "delete") return { request: { method: "DELETE", url: target } };
  return { resource, request: { method: "PUT", url: target } };
}

function localReference(resource, resourceId) {
  return resource ? `${resource.resourceType}/${resource.id}` : list(resourceId)[0];
}

function list(value) {
  if (value == null) return [];
  return Array.isArray(value) ? value : [value];
}
