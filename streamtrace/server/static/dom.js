// Makes elements; text is always set as text, so nothing a caller sends can become markup.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element; `properties` are DOM properties, `aria-*`, `data-*` and `role` attributes. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** An SVG element with its attributes. */
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** One of the page's symbols; the words beside it carry the meaning. */
export function icon(name) {
  return s("svg", { class: "icon", "aria-hidden": "true", viewBox: "0 0 16 16" }, s("use", { href: `#${name}` }));
}

/** Set text only when it changed, so that assistive technology hears of changes alone. */
export function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

/** Set an attribute only when it changed. */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}
