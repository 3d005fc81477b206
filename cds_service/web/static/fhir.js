// What the page asks of the FHIR server.

import { call } from "./http.js";

const FHIR_JSON = { Accept: "application/fhir+json" };

export function read(base, reference) {
  return call("GET", `${base}/${reference}`, undefined, FHIR_JSON);
}

// A suggestion's actions belong together: one transaction carries them out, or none of them.
export function apply(base, actions) {
  const entry = actions.map(asEntry);
  return call("POST", base, { resourceType: "Bundle", type: "transaction", entry }, FHIR_JSON);
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

export function localReference(resource, resourceId) {
  return resource ? `${resource.resourceType}/${resource.id}` : list(resourceId)[0];
}

function list(value) {
  return Array.isArray(value) ? value : [value];
}
