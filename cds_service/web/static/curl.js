// A call as a command of the shell.

export function curlOf({ method, url, sent, request }) {
  const headers = Object.entries(sent).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`);
  const body = request === undefined ? [] : [`--data-binary ${quoted(typeof request === "string" ? request : JSON.stringify(request))}`];
  return [`curl -sS -X ${method}`, ...headers, ...body, quoted(url)].join(" \\\n  ");
}

function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
