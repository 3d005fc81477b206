// What was accepted before: a suggestion whose task is on the list already is not offered again.

import { list } from "./dom.js";

const ENDED = ["completed", "cancelled", "failed", "rejected", "entered-in-error"];

export class Held {
  constructor() {
    this.keys = new Set();
  }

  add(resources) {
    for (const resource of resources.filter(Boolean)) {
      const key = keyOf(resource);
      if (key) this.keys.add(key);
    }
  }

  has(suggestion) {
    const actions = list(suggestion.actions);
    return actions.length > 0 && actions.every((action) => action.type === "create" && this.keys.has(keyOf(action.resource)));
  }
}

// Orders are told apart by the service, which sees them among the drafts; tasks it never reads.
function keyOf(resource) {
  if (resource?.resourceType !== "Task" || ENDED.includes(resource.status)) return null;
  return JSON.stringify([resource.code, resource.description, resource.for?.reference, resource.focus?.reference]);
}
