// Why each result came out so: criteria, evidence, what is missing, what could not be read.

import { el, fold, icon, list } from "./dom.js";
import { comparePanel } from "./compare.js";
import { picturesPanel } from "./pictures.js";
import { WhatIf } from "./suppose.js";
import { DETERMINATION, EFFECT, OPERATOR, PRIOR_AUTH, STATUS, URGENCY, amountWords, limitWords } from "./words.js";

const SHOWN_EVIDENCE = 6;

// `open` shows a resource by its reference. `request` is the call as it was sent; without it there
// is nothing to ask further.
export function whyPanel(evaluations, open, request = null) {
  if (!evaluations.length) return null;
  const asking = { open, whatIf: new WhatIf(request, evaluations) };
  const panel = fold("Why: criteria and evidence", true, evaluations.map((item) => evaluationNode(item, asking)));
  panel.className = "panel";
  if (!request) return panel;
  return el("div", { class: "looking" }, panel, picturesPanel(request, open), comparePanel(request));
}

function evaluationNode(item, asking) {
  const criteria = list(item.criteria);
  const counting = criteria.filter((one) => one.counts !== false);
  return el(
    "section",
    { class: "evaluation" },
    el("h3", {}, item.policy ? policyLink(item.policy) : "No policy applied"),
    verdict(item),
    asking.whatIf.box(item),
    section("Missing", list(item.missing).map((one) => missingNode(one, asking))),
    section("Safety", list(item.safety).map((finding) => safetyNode(finding, asking))),
    section("Could not be read", list(item.unread).map(unreadNode)),
    section("Criteria", tree(counting, asking)),
    asides(criteria, counting, asking),
    section("Notes", list(item.notes).map((note) => el("li", {}, String(note)))),
  );
}

function policyLink(policy) {
  return el("a", { href: `/policies/${policy}` }, policy);
}

function asides(criteria, counting, asking) {
  const rest = criteria.filter((one) => !counting.includes(one));
  if (!rest.length) return null;
  const title = `Also checked, without effect on this result (${rest.length})`;
  return fold(title, false, el("ul", { class: "tree" }, tree(rest, asking)));
}

function verdict(item) {
  const { word, status } = DETERMINATION[item.determination] ?? { word: item.determination, status: "unknown" };
  const amount = item.approvableNow;
  const facts = [
    PRIOR_AUTH[item.priorAuth],
    amount && `Supported now: ${amountWords(amount)}`,
    item.limits && `Limit: ${limitWords(item.limits)}`,
    item.coverage && `Coverage: ${item.coverage}`,
    item.document && `Document: ${item.document}`,
    item.policyVersion && `Policy version: ${item.policyVersion}`,
    item.reviewBy && `Review by: ${item.reviewBy}`,
    item.date && `Judged for: ${item.date}`,
  ].filter(Boolean);
  return el("div", {}, chip(status, word), el("ul", { class: "facts" }, facts.map((fact) => el("li", {}, fact))));
}

function section(title, items) {
  if (!items.length) return null;
  return el("div", { class: "part" }, el("h4", {}, title), el("ul", { class: title === "Criteria" ? "tree" : "" }, items));
}

function chip(status, word) {
  return el("span", { class: `chip ${status}` }, icon(status), word);
}

function missingNode(item, asking) {
  const kind = item.blocking ? chip("unknown", "Needed") : chip("not-applicable", "Advised");
  return el("li", {}, kind, " ", item.text, " ", origin(item), " ", asking.whatIf.tick(item.id, item.text));
}

function safetyNode(finding, asking) {
  const status = finding.effect === "stop" ? "not-met" : "unknown";
  const marks = [finding.suspected && "suspected", finding.addressed && "already addressed", EFFECT[finding.effect]];
  return el(
    "li",
    {},
    chip(finding.addressed ? "met" : status, URGENCY[finding.urgency] ?? finding.urgency),
    ` ${finding.text} (${marks.filter(Boolean).join(", ")}) `,
    origin(finding),
    evidenceList(finding.evidence, asking.open),
  );
}

function unreadNode(hole) {
  return el("li", {}, el("code", {}, hole.query), ` ${hole.reason}: not an absence, these data were not seen`);
}

function tree(criteria, asking) {
  const known = new Set(criteria.map((one) => one.id));
  const roots = criteria.filter((one) => !known.has(one.parent));
  return branches(roots, criteria, asking);
}

function criterionNode(one, criteria, asking) {
  const children = criteria.filter((other) => other.parent === one.id);
  if (!children.length) return el("li", {}, headline(one), " ", supposing(one, asking), body(one, asking.open));
  const unfolded = one.status !== "met" && one.status !== "not-applicable";
  const nested = el("ul", {}, branches(children, criteria, asking));
  return el("li", {}, fold(headline(one), unfolded || !one.parent, body(one, asking.open), nested));
}

// Only what nobody can tell may be supposed: what the record shows or rules out stays.
function supposing(one, asking) {
  return one.status === "unknown" && !one.operator ? asking.whatIf.tick(one.id, one.text) : null;
}

// What does not apply to this patient is there for whoever asks, and out of the way of the rest.
function branches(children, criteria, asking) {
  const node = (child) => criterionNode(child, criteria, asking);
  const idle = children.filter((child) => child.status === "not-applicable");
  const rest = children.filter((child) => !idle.includes(child)).map(node);
  if (!idle.length || !rest.length) return children.map(node);
  const aside = fold(`${idle.length} that do${idle.length > 1 ? "" : "es"} not apply`, false, el("ul", {}, idle.map(node)));
  aside.className = "aside";
  return [...rest, el("li", {}, aside)];
}

function headline(one) {
  const operator = OPERATOR[String(one.operator ?? "").split(" ")[0]];
  const words = operator ? `${one.text}: ${operator}` : one.text;
  return el("span", { class: "criterion" }, chip(one.status, STATUS[one.status] ?? one.status), " ", words, " ", origin(one));
}

// The rule's id, and the section of the payer's document that says it.
function origin(one) {
  const sections = one.operator ? [] : list(one.sections);
  const place = [...sections, one.source].filter(Boolean).join(", ");
  return el("code", {}, [one.id, place].filter(Boolean).join(" · "));
}

function body(one, open) {
  const lines = [
    one.because && el("p", {}, one.because),
    ...list(one.wouldChange).map((change) => el("p", { class: "hint" }, `Would change it: ${change}`)),
    parameterLine(list(one.parameters)),
    evidenceList(one.evidence, open),
  ].filter(Boolean);
  return lines.length ? el("div", { class: "body" }, lines) : null;
}

function parameterLine(parameters) {
  if (!parameters.length) return null;
  const words = parameters.map((used) => {
    const origin = used.configured ? "set here, not by the policy" : used.source;
    return `${used.id} = ${used.value} ${used.unit}${origin ? ` (${origin})` : ""}`;
  });
  return el("p", { class: "hint" }, `Numbers used: ${words.join("; ")}`);
}

function evidenceList(evidence, open) {
  const all = list(evidence);
  if (!all.length) return null;
  const [first, rest] = [all.slice(0, SHOWN_EVIDENCE), all.slice(SHOWN_EVIDENCE)];
  const shown = el("ul", { class: "evidence" }, first.map((item) => evidenceNode(item, open)));
  if (!rest.length) return shown;
  const more = el("ul", { class: "evidence" }, rest.map((item) => evidenceNode(item, open)));
  return el("div", {}, shown, fold(`${rest.length} more`, false, more));
}

function evidenceNode(item, open) {
  const words = [item.text, item.value, item.date].filter((word) => word != null && word !== "").join(" · ");
  if (!item.reference) return el("li", {}, words);
  const label = words || item.reference;
  return el("li", {}, el("button", { type: "button", onclick: () => open(item.reference) }, label));
}
