// Renders /api/openapi.json. Text goes in as text nodes only, never as markup.
"use strict";

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function referred(document_, schema) {
  if (!schema || !schema.$ref) return schema;
  return schema.$ref.split("/").slice(1).reduce((found, key) => found[key], document_);
}

function kindOf(document_, schema) {
  if (!schema) return "anything";
  if (schema.$ref) return schema.$ref.split("/").pop();
  const options = schema.anyOf || schema.oneOf;
  if (options) return options.map((option) => kindOf(document_, option)).join(" | ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return `[${kindOf(document_, schema.items)}]`;
  return [schema.type || "anything", schema.format ? `(${schema.format})` : ""].join(" ").trim();
}

function fieldTable(document_, schema) {
  const found = referred(document_, schema);
  const options = (found && (found.oneOf || found.anyOf)) || [found];
  const tables = options.map((option) => {
    const object = referred(document_, option);
    if (!object || !object.properties) return element("p", {}, element("code", {}, kindOf(document_, option)));
    const rows = Object.entries(object.properties).map(([name, field]) =>
      element("tr", {},
        element("td", {}, element("code", {}, name), (object.required || []).includes(name) ? " *" : ""),
        element("td", {}, element("code", {}, kindOf(document_, field))),
        element("td", {}, "default" in field ? `default ${JSON.stringify(field.default)}` : "")));
    return element("div", {}, object.description ? element("p", {}, object.description) : null,
      element("table", {}, element("tbody", {}, ...rows)));
  });
  return element("div", {}, ...tables);
}

function operationView(document_, method, path, operation) {
  const parts = [];
  if (operation.parameters.length) {
    parts.push(element("h3", {}, "Parameters"), element("table", {}, element("tbody", {}, ...operation.parameters.map(
      (parameter) => element("tr", {},
        element("td", {}, element("code", {}, parameter.name)), element("td", {}, parameter.in),
        element("td", {}, element("code", {}, kindOf(document_, parameter.schema))),
        element("td", {}, parameter.description || ""))))));
  }
  if (operation.requestBody) {
    parts.push(element("h3", {}, "Body"),
      fieldTable(document_, operation.requestBody.content["application/json"].schema));
  }
  for (const [status, response] of Object.entries(operation.responses)) {
    const [media, content] = Object.entries(response.content || {})[0] || ["", null];
    const isProblem = media === "application/problem+json";
    parts.push(element("h3", {}, `${status} ${response.description}`));
    if (content && !isProblem) parts.push(fieldTable(document_, content.schema));
  }
  return element("details", { id: operation.operationId },
    element("summary", {}, element("span", { class: "method" }, method.toUpperCase()), element("code", {}, path),
      element("span", { class: "note" }, operation.summary)),
    element("div", {}, ...parts));
}

async function show() {
  const about = document.getElementById("about");
  try {
    const response = await fetch("/api/openapi.json");
    const description = await response.json();
    about.textContent = `Version ${description.info.version}. ${description.info.description}`;
    const groups = new Map();
    for (const [path, methods] of Object.entries(description.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        const tag = operation.tags[0];
        if (!groups.has(tag)) groups.set(tag, []);
        groups.get(tag).push(operationView(description, method, path, operation));
      }
    }
    const main = document.getElementById("operations");
    for (const [tag, views] of groups) main.append(element("h2", {}, tag), ...views);
  } catch (error) {
    about.textContent = `The description could not be loaded: ${error}`;
  }
}

show();
