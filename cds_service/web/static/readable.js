// A FHIR resource for a reader: what it says, line by line; the JSON stands below it.

import { el, list } from "./dom.js";

const UNTOLD = new Set(["resourceType", "meta", "text", "contained", "extension", "modifierExtension", "implicitRules", "language"]);
const CAPITALS = /([a-z0-9])([A-Z])/g;

export function readable(resource) {
  if (typeof resource?.resourceType !== "string") return null;
  const rows = Object.entries(resource)
    .filter(([name]) => !UNTOLD.has(name) && !name.startsWith("_"))
    .map(([name, value]) => [label(name), words(value)])
    .filter(([, text]) => text);
  return el("dl", { class: "about" }, rows.map(([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, text))));
}

function label(name) {
  const spaced = name.replace(CAPITALS, "$1 $2").toLowerCase();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

function words(value) {
  if (value == null) return "";
  if (Array.isArray(value)) return value.map(words).filter(Boolean).join("; ");
  if (typeof value !== "object") return String(value);
  return (HELD.find(({ fits }) => fits(value))?.said ?? parts)(value);
}

function parts(value) {
  const told = Object.entries(value).filter(([name]) => !UNTOLD.has(name) || name === "text");
  return told.map(([name, inner]) => `${label(name)}: ${words(inner)}`).join(", ");
}

function coding(one) {
  return [one.display, one.code && `(${one.code})`].filter(Boolean).join(" ");
}

function concept(value) {
  const coded = list(value.coding).map((one) => coding(one?.display === value.text ? { code: one?.code } : (one ?? {})));
  const codes = coded.filter(Boolean).join(", ");
  return [value.text, codes].filter(Boolean).join(" ");
}

// Data types of FHIR, told by the elements that only they have.
const HELD = [
  { fits: (value) => Array.isArray(value.coding), said: concept },
  { fits: (value) => "reference" in value, said: (value) => [value.display, value.reference].filter(Boolean).join(", ") },
  { fits: (value) => "value" in value && ("unit" in value || "code" in value), said: ({ value, unit, code }) => `${value} ${unit ?? code}` },
  { fits: (value) => "system" in value && "code" in value, said: coding },
  { fits: (value) => "start" in value || "end" in value, said: ({ start, end }) => [start && `from ${start}`, end && `to ${end}`].filter(Boolean).join(" ") },
];
