// A Bundle of the visitor's own: checked for its size here, for everything else by the server.

const MEGABYTE = 1024 * 1024;

// A link to what is folded away unfolds it.
export function unfolding(link) {
  link?.addEventListener("click", () => {
    const box = document.querySelector("#bring");
    box.open = true;
    box.querySelector("summary").focus();
  });
}

export function bringing(form) {
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}

async function send(form) {
  const text = form.querySelector("#bundle-text");
  const [file] = form.querySelector("#bundle-file").files;
  tell(form, "");
  const largest = Number(form.dataset.largest);
  const body = file ?? new Blob([text.value]);
  if (body.size > largest) return tell(form, tooLarge(body.size, largest));
  const button = form.querySelector("button");
  button.disabled = true;
  const problem = await taken(form.dataset.to, body);
  button.disabled = false;
  return problem && tell(form, problem);
}

// Gives what is wrong; leaves for the patient's page when nothing is.
async function taken(to, body) {
  try {
    const headers = { "Content-Type": "application/fhir+json", Accept: "application/json" };
    const response = await fetch(to, { method: "POST", headers, body });
    const answer = await response.json();
    if (!answer.page) return answer.problem ?? `The answer was HTTP ${response.status}.`;
    location.assign(answer.page);
    return "";
  } catch {
    return "The Bundle could not be sent: the file may have changed, or the demo has ended.";
  }
}

function tooLarge(size, largest) {
  const megabytes = (bytes) => Number((bytes / MEGABYTE).toPrecision(3));
  return `The Bundle has ${megabytes(size)} MB; at most ${megabytes(largest)} MB are taken. Leave out what a massage order does not need, such as images and attachments.`;
}

function tell(form, words) {
  const line = form.querySelector("#upload-problem");
  line.textContent = words;
  line.hidden = !words;
  form.querySelector("#bundle-text").setAttribute("aria-invalid", String(Boolean(words)));
}
