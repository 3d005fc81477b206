// A JSON Web Token, shown as what it says.

export function decoded(authorization) {
  const [, header, claims] = /^Bearer ([\w-]+)\.([\w-]+)\.[\w-]+$/.exec(authorization ?? "") ?? [];
  if (!claims) return null;
  const said = json(claims);
  return { header: json(header), claims: said, lives: lifeWords(said) };
}

function json(part) {
  const bytes = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.codePointAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

function lifeWords({ iat, exp }) {
  return `${new Date(iat * 1000).toISOString()} to ${new Date(exp * 1000).toISOString()}`;
}
