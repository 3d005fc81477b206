// What went over the wire, for whoever integrates the service.

import { el, fold, pretty } from "./dom.js";
import { curlOf } from "./curl.js";
import { decoded } from "./token.js";

// `answer` is the call of this step; `others` are the calls around it, such as reads for prefetch.
export function exchangePanel(answer, others = []) {
  const panel = lazy(`JSON: ${titleOf(answer)}`, () => [...partsOf(answer), ...around(others)]);
  panel.className = "panel";
  panel.id = "developer";
  return panel;
}

function around(others) {
  if (!others.length) return [];
  return [el("h3", {}, `Calls around it (${others.length})`), ...others.map((one) => lazy(titleOf(one), () => partsOf(one)))];
}

function titleOf({ method, url, status, ms }) {
  const { origin, pathname, search } = new URL(url);
  const path = origin === location.origin ? pathname : url;
  const query = search.length > 60 ? `${search.slice(0, 60)}…` : search;
  return `${method} ${path}${query}, ${status || "no answer"}, ${ms} ms`;
}

// What nobody opens is never written out: a prefetch may hold a whole record.
function lazy(title, parts) {
  const panel = fold(title, false);
  panel.addEventListener("toggle", () => panel.append(...parts()), { once: true });
  return panel;
}

function partsOf(answer) {
  const token = decoded(answer.sent.Authorization);
  return [
    el("p", { class: "hint" }, timeWords(answer)),
    copyButton(answer),
    block("Request", answer.request ?? "no body"),
    block("Response", answer.failure ?? answer.body ?? ""),
    block("Headers", { request: answer.sent, response: answer.headers ?? {} }),
    token && block("Token", token),
  ].filter(Boolean);
}

function timeWords({ ms, serverMs }) {
  if (serverMs == null) return `Took ${ms} ms.`;
  return `Took ${ms} ms: server ${serverMs} ms, network and browser ${Math.max(0, ms - serverMs).toFixed(1)} ms.`;
}

function copyButton(answer) {
  const told = el("span", { role: "status", class: "hint" });
  const copy = async () => {
    told.textContent = await copied(curlOf(answer));
  };
  return el("p", {}, el("button", { type: "button", class: "quiet", onclick: copy }, "Copy as curl"), " ", told);
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return text.includes("Authorization") ? "Copied. Its token serves once: without that header the demo answers again." : "Copied.";
  } catch {
    return "This browser does not let the page copy.";
  }
}

function block(title, value) {
  const attributes = { tabindex: "0", role: "group", "aria-label": title };
  return el("div", {}, el("h3", {}, title), el("pre", attributes, pretty(value)));
}
