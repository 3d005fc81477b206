// The list of patients: searching it, and keeping the chosen one in sight.

const find = (selector) => document.querySelector(selector);

export function searchable() {
  const field = find("#patient-search");
  const lines = [...document.querySelectorAll("#patients li")];
  field?.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (line) => words.every((word) => line.textContent.toLowerCase().includes(word));
    lines.forEach((line) => (line.hidden = !fits(line)));
    const shown = lines.filter((line) => !line.hidden).length;
    find("#patient-found").textContent = words.length ? `${shown} of ${lines.length} patients` : "";
  });
}

// Beside the order the list stays open; above it, on a narrow screen, it would push the order away.
export function settled() {
  const current = find(".patients [aria-current]");
  if (find("#order")) find("#patient-list").open = matchMedia("(min-width: 56rem)").matches;
  if (current) find(".patients").scrollTop = current.offsetTop - find(".patients").clientHeight / 3;
  find("#found-title")?.focus();
}
