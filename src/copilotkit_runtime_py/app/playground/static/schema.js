// The schema, read by introspection.

import { $ } from "./dom.js";
import { graphql } from "./transport.js";

const TYPE = "kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";
const INPUT = `name description defaultValue type { ${TYPE} }`;
const INTROSPECTION = `query { __schema { queryType { name } mutationType { name } types {
  kind name description
  fields(includeDeprecated: true) { name description isDeprecated args { ${INPUT} } type { ${TYPE} } }
  inputFields { ${INPUT} } enumValues { name } possibleTypes { name } } } }`;

function typeText(type) {
  if (type.kind === "NON_NULL") return `${typeText(type.ofType)}!`;
  if (type.kind === "LIST") return `[${typeText(type.ofType)}]`;
  return type.name;
}

function typeName(type) {
  return type.ofType ? typeName(type.ofType) : type.name;
}

function link(type) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "link";
  made.textContent = typeText(type);
  made.addEventListener("click", () => {
    $("schema-filter").value = "";
    filterSchema();
    const details = $(`type-${typeName(type)}`);
    details.open = true;
    details.scrollIntoView({ block: "start" });
    details.querySelector("summary").focus();
  });
  return made;
}

function field(each) {
  const item = document.createElement("li");
  const code = document.createElement("code");
  code.append(each.name);
  if (each.args?.length) {
    code.append("(");
    each.args.forEach((arg, index) => code.append(index ? ", " : "", `${arg.name}: `, link(arg.type)));
    code.append(")");
  }
  if (each.type) code.append(": ", link(each.type));
  if (each.defaultValue) code.append(` = ${each.defaultValue}`);
  item.append(code);
  if (each.isDeprecated) item.append(" (deprecated)");
  if (each.description) item.title = each.description;
  return item;
}

function typeDetails(type, open) {
  const details = document.createElement("details");
  details.id = `type-${type.name}`;
  details.open = open;
  const summary = document.createElement("summary");
  const kind = document.createElement("small");
  kind.textContent = type.kind.toLowerCase().replace("_", " ");
  summary.append(type.name, kind);
  details.append(summary);
  if (type.description) {
    const text = document.createElement("p");
    text.textContent = type.description;
    details.append(text);
  }
  const list = document.createElement("ul");
  for (const each of type.fields ?? type.inputFields ?? type.enumValues ?? []) list.append(field(each));
  for (const each of type.possibleTypes ?? []) list.append(field({ name: "", type: { kind: "OBJECT", name: each.name } }));
  if (list.children.length) details.append(list);
  return details;
}

async function loadSchema() {
  $("types").textContent = "Loading…";
  try {
    const answer = await (await graphql({ query: INTROSPECTION })).json();
    if (!answer.data) throw new Error(answer.errors?.[0]?.message ?? "no schema");
    const schema = answer.data.__schema;
    const roots = [schema.queryType?.name, schema.mutationType?.name];
    const rank = (type) => (roots.includes(type.name) ? roots.indexOf(type.name) : roots.length);
    const types = schema.types.filter((type) => !type.name.startsWith("__"));
    types.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
    $("types").replaceChildren(...types.map((type) => typeDetails(type, roots.includes(type.name))));
    return true;
  } catch (error) {
    $("types").textContent = `This server does not tell its schema: ${error.message}`;
    return false;
  }
}

export function filterSchema() {
  const word = $("schema-filter").value.trim().toLowerCase();
  for (const details of $("types").querySelectorAll("details")) {
    details.hidden = Boolean(word) && !details.textContent.toLowerCase().includes(word);
  }
}

let schemaLoaded = null;

export async function toggleSchema(open) {
  $("schema").hidden = !open;
  $("schema-toggle").setAttribute("aria-expanded", String(open));
  if (!open) {
    $("schema-toggle").focus();
    return;
  }
  schemaLoaded ??= loadSchema();
  if (!(await schemaLoaded)) schemaLoaded = null;
  $("schema-filter").focus();
}
