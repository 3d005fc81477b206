// Cards as an EHR shows them: the result, the next step, the reason.

import { el, fold, icon, list } from "./dom.js";
import { rendered } from "./markdown.js";
import { INDICATOR } from "./words.js";

const RANK = ["critical", "warning", "info"];

export function cardList(cards, onSuggestion) {
  const ranked = [...cards].sort((one, other) => rank(one) - rank(other));
  return ranked.map((card) => cardNode(card, onSuggestion));
}

function rank(card) {
  const place = RANK.indexOf(card.indicator);
  return place < 0 ? RANK.length : place;
}

export function counted(cards) {
  const words = RANK.map((name) => [cards.filter((card) => card.indicator === name).length, name]);
  return words.filter(([count]) => count).map(([count, name]) => `${count} ${INDICATOR[name].toLowerCase()}`).join(", ");
}

function cardNode(card, onSuggestion) {
  const kind = RANK.includes(card.indicator) ? card.indicator : "info";
  const article = el(
    "article",
    { class: `card ${kind}` },
    el("p", { class: "indicator" }, icon(kind), INDICATOR[kind]),
    el("h3", {}, String(card.summary ?? "")),
    suggestionBox(card, onSuggestion),
    card.detail && el("div", { class: "detail" }, rendered(card.detail)),
    linkBox(card),
    overrideBox(card, () => article),
    sourceLine(card.source),
  );
  return article;
}

function suggestionBox(card, onSuggestion) {
  const suggestions = list(card.suggestions);
  if (!suggestions.length) return null;
  const hint = card.selectionBehavior === "at-most-one" && suggestions.length > 1;
  return el(
    "div",
    { class: "next", role: "group", "aria-label": "Next step" },
    el("p", { class: "eyebrow" }, hint ? "Next step: choose one" : "Next step"),
    suggestions.map((suggestion) => suggestionButton(suggestion, onSuggestion)),
  );
}

function suggestionButton(suggestion, onSuggestion) {
  const actions = list(suggestion.actions);
  const told = new Set(actions.map((action) => action.description).filter(Boolean));
  const described = [...told].join("; ");
  const label = String(suggestion.label ?? "Apply");
  const kind = suggestion.isRecommended ? "suggestion primary" : "suggestion";
  return el(
    "button",
    { type: "button", class: kind, onclick: () => onSuggestion(suggestion) },
    el("span", {}, label),
    described && described !== label ? el("small", {}, described) : null,
  );
}

function linkBox(card) {
  const links = list(card.links).filter((link) => /^https?:/i.test(link?.url ?? ""));
  if (!links.length) return null;
  return el("ul", { class: "links" }, links.map(linkItem));
}

function linkItem(link) {
  const app = link.type === "smart" ? " (opens an app)" : "";
  const attributes = { href: link.url, target: "_blank", rel: "noopener noreferrer" };
  return el("li", {}, el("a", attributes, `${link.label}${app}`));
}

function overrideBox(card, article) {
  const reasons = list(card.overrideReasons);
  if (!reasons.length) return null;
  const choices = reasons.map((reason) =>
    el("li", {}, el("button", { type: "button", class: "quiet", onclick: () => dismiss(article(), card, reason) }, reason.display)),
  );
  return fold("Override: proceed without it", false, el("ul", { class: "reasons", "aria-label": "Reasons" }, choices));
}

// The page keeps the reason for this session only, and says so.
function dismiss(article, card, reason) {
  const back = el("button", { type: "button", class: "quiet", onclick: () => restore(article, line) }, "Show again");
  const words = `Overridden in this session: ${reason.display}. ${card.summary}`;
  const line = el("p", { class: "overridden", tabindex: "-1" }, words, " ", back);
  article.hidden = true;
  article.after(line);
  line.focus();
}

function restore(article, line) {
  article.hidden = false;
  line.remove();
  article.querySelector("summary")?.focus();
}

function sourceLine(source) {
  if (!source?.label) return null;
  const safe = /^https?:/i.test(source.url ?? "");
  const attributes = { href: source.url, target: "_blank", rel: "noopener noreferrer" };
  return el("p", { class: "source" }, "Source: ", safe ? el("a", attributes, source.label) : source.label);
}
