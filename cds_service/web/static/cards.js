// Cards as an EHR shows them: the result, the next step, the reason.

import { el, fold, icon, list } from "./dom.js";
import { rendered } from "./markdown.js";
import { INDICATOR } from "./words.js";

const RANK = ["critical", "warning", "info"];

// `desk` takes what is done with a card: take(card, suggestion), override(card, reason, comment). It tells
// with held(suggestion) that what it would add is there already, with answered(card) the reason for
// which the same card was overridden before.
export function cardList(cards, desk) {
  const ranked = [...cards].sort((one, other) => rank(one) - rank(other));
  return ranked.flatMap((card) => answeredBefore(card, cardNode(card, desk), desk));
}

function rank(card) {
  const place = RANK.indexOf(card.indicator);
  return place < 0 ? RANK.length : place;
}

export function kindOf(card) {
  return RANK.includes(card.indicator) ? card.indicator : "info";
}

export function counted(cards) {
  const words = RANK.map((name) => [cards.filter((card) => card.indicator === name).length, name]);
  const plural = (count, name) => (count > 1 && name === "warning" ? "s" : "");
  return words.filter(([count]) => count).map(([count, name]) => `${count} ${INDICATOR[name].toLowerCase()}${plural(count, name)}`).join(", ");
}

function cardNode(card, desk) {
  const kind = kindOf(card);
  const article = el(
    "article",
    { class: `card ${kind}` },
    el("p", { class: "indicator" }, icon(kind), INDICATOR[kind]),
    el("h3", {}, String(card.summary ?? "")),
    suggestionBox(card, desk),
    card.detail && el("div", { class: "detail" }, rendered(card.detail)),
    linkBox(card),
    overrideBox(card, desk, () => article),
    sourceLine(card.source),
  );
  return article;
}

function suggestionBox(card, desk) {
  const suggestions = list(card.suggestions);
  if (!suggestions.length) return null;
  const one = card.selectionBehavior === "at-most-one" && suggestions.length > 1;
  const [done, open] = [suggestions.filter(desk.held), suggestions.filter((item) => !desk.held(item))];
  return el(
    "div",
    { class: "next", role: "group", "aria-label": "Next step" },
    open.length ? el("p", { class: "eyebrow" }, one ? "Next step: choose one" : "Next step") : null,
    open.map((suggestion) => suggestionButton(card, suggestion, desk)),
    done.map((suggestion) => el("p", { class: "done" }, icon("met"), ` Done: ${suggestion.label}`)),
  );
}

function suggestionButton(card, suggestion, desk) {
  const actions = list(suggestion.actions);
  const told = new Set(actions.map((action) => action.description).filter(Boolean));
  const described = [...told].join("; ");
  const label = String(suggestion.label ?? "Apply");
  const kind = suggestion.isRecommended ? "suggestion primary" : "suggestion";
  return el(
    "button",
    { type: "button", class: kind, onclick: () => desk.take(card, suggestion) },
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

// A critical card is never dismissed without a reason that the service offers.
function overrideBox(card, desk, article) {
  const offered = list(card.overrideReasons);
  if (!offered.length && card.indicator !== "warning") return null;
  const reasons = offered.length ? offered : [{ display: "Go on without a reason" }];
  const comment = el("input", { type: "text", autocomplete: "off", maxlength: 500 });
  const choose = (reason) => dismiss(article(), card, reason, comment.value.trim(), desk);
  const choices = reasons.map((reason) =>
    el("li", {}, el("button", { type: "button", class: "quiet", onclick: () => choose(reason) }, reason.display ?? reason.code)),
  );
  return fold(
    "Override: proceed without it",
    false,
    el("p", {}, el("label", {}, "Comment (optional) ", comment)),
    el("ul", { class: "reasons", "aria-label": "Reasons" }, choices),
  );
}

function answeredBefore(card, article, desk) {
  const reason = desk.answered(card);
  if (!reason) return [article];
  return [article, inItsPlace(article, `Overridden before: ${reason}. ${card.summary}`)];
}

// Hides a card and gives the line that stands for it.
function inItsPlace(article, words, ...more) {
  const back = el("button", { type: "button", class: "quiet", onclick: () => restore(article, line) }, "Show again");
  const line = el("p", { class: "overridden", tabindex: "-1" }, words, " ", ...more, " ", back);
  article.hidden = true;
  return line;
}

async function dismiss(article, card, reason, comment, desk) {
  const sent = el("small", {}, "Telling the service…");
  const line = inItsPlace(article, `Overridden: ${reason.display ?? reason.code}. ${card.summary}`, sent);
  article.after(line);
  line.focus();
  const answer = await desk.override(card, reason, comment);
  sent.textContent = answer.ok ? "The service was told." : `The service could not be told (${answer.failure ?? answer.status}).`;
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
