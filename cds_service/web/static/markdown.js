// Cards carry GitHub-flavoured Markdown, and words of the record in it may hold HTML.

import MarkdownIt from "./vendor/markdown-it/markdown-it.js";
import DOMPurify from "./vendor/dompurify/purify.js";

const ALLOWED = {
  ALLOWED_TAGS: [
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "strong", "em", "s", "code",
    "pre", "blockquote", "a", "table", "thead", "tbody", "tr", "th", "td",
  ],
  ALLOWED_ATTR: ["href", "start"],
  ALLOWED_URI_REGEXP: /^https?:/i,
  RETURN_DOM_FRAGMENT: true,
};

const markdown = new MarkdownIt({ html: false, linkify: false });

export function rendered(text) {
  const fragment = DOMPurify.sanitize(markdown.render(String(text)), ALLOWED);
  fragment.querySelectorAll("a").forEach(openOutside);
  fragment.querySelectorAll("table").forEach(scrollAlone);
  fragment.querySelectorAll("li").forEach(tickBox);
  return fragment;
}

function openOutside(link) {
  link.rel = "noopener noreferrer";
  link.target = "_blank";
}

function scrollAlone(table) {
  const frame = document.createElement("div");
  frame.className = "scroll";
  frame.tabIndex = 0;
  frame.setAttribute("role", "group");
  frame.setAttribute("aria-label", "Table");
  table.replaceWith(frame);
  frame.append(table);
}

function tickBox(item) {
  const text = item.firstChild;
  const written = text?.nodeType === Node.TEXT_NODE && /^\[( |x|X)\] /.exec(text.data);
  if (!written) return;
  text.data = (written[1] === " " ? "☐ " : "☑ ") + text.data.slice(written[0].length);
  item.className = "task";
}
