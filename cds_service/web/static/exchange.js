// What went over the wire, for whoever integrates the service.

import { el, fold, pretty } from "./dom.js";

export function exchangePanel(answer) {
  const status = answer.status || "no answer";
  const panel = fold(
    `JSON: ${answer.method} ${new URL(answer.url, location.href).pathname}, ${status}, ${answer.ms} ms`,
    false,
    block("Request", answer.request),
    block("Response", answer.failure ?? answer.body ?? ""),
    block("Headers", { request: answer.sent, response: answer.headers ?? {} }),
  );
  panel.className = "panel";
  return panel;
}

function block(title, value) {
  const attributes = { tabindex: "0", role: "region", "aria-label": title };
  return el("div", {}, el("h3", {}, title), el("pre", attributes, pretty(value)));
}
