// The part of a page that the example browser uses, for Node.js: node fake_page.js DATA SCRIPT DRIVER.
// Elements hold text and children only; assigning HTML is an error.
"use strict";
const fs = require("fs");

class FakeElement {
  constructor(tag) {
    Object.assign(this, { tagName: tag.toUpperCase(), children: [], attributes: {}, listeners: [], own: "" });
  }
  set textContent(text) { this.own = text; this.children = []; }
  get textContent() { return this.own + this.children.map((child) => child.textContent).join(""); }
  set innerHTML(_) { throw new Error("a script must not assign HTML"); }
  append(child) { child.parent = this; this.children.push(child); }
  replaceChildren() { this.textContent = ""; }
  setAttribute(name, value) { this.attributes[name] = value; }
  getAttribute(name) { return this.attributes[name] ?? this[name] ?? null; }
  addEventListener(type, listener) { this.listeners.push([type, listener]); }
  dispatchEvent(event) {
    event.target ??= this;
    for (const [type, listener] of this.listeners) if (type === event.type) listener(event);
    if (event.bubbles && this.parent) this.parent.dispatchEvent(event);
  }
  click() { if (!this.disabled) this.dispatchEvent(new Event("click", { bubbles: true })); }
  contains(other) { return other === this || this.children.some((child) => child.contains(other)); }
  querySelectorAll(tag) {
    return this.children.flatMap((child) => [
      ...(child.tagName === tag.toUpperCase() ? [child] : []), ...child.querySelectorAll(tag)]);
  }
  getBoundingClientRect() { return { top: 0, bottom: 1 }; }
  scrollIntoView() {}
}

class FakeEvent {
  constructor(type, options = {}) { Object.assign(this, { type, defaultPrevented: false }, options); }
  preventDefault() { this.defaultPrevented = true; }
}

const [data, script, driver] = process.argv.slice(2).map((path) => fs.readFileSync(path, "utf-8"));
const root = new FakeElement("html");
const body = new FakeElement("body");
root.append(body);
const named = {};
for (const name of ["example-message", "example-data", "example-browser", "report"]) {
  named[name] = new FakeElement("div");
  body.append(named[name]);
}
named["example-data"].textContent = data;
Object.assign(globalThis, { Event: FakeEvent, KeyboardEvent: FakeEvent, window: { innerHeight: 1000 } });
globalThis.document = {
  body,
  createElement: (tag) => new FakeElement(tag),
  getElementById: (name) => named[name],
  addEventListener: (type, listener) => root.addEventListener(type, listener),
};
for (const code of [script, driver]) (0, eval)(code);
process.on("exit", () => { process.stdout.write(named.report.textContent); });
