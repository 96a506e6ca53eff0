// Uses the example browser as a reader does, and reports what it shows. Runs in a browser and in fake_page.js.
"use strict";
(async () => {
  const root = document.getElementById("example-browser");
  const all = (tag) => [...root.querySelectorAll(tag)];
  while (!all("section").length) await new Promise((resolve) => { setTimeout(resolve, 5); });

  const report = {};
  const note = (name) => {
    report[name] = {
      place: all("span").find((span) => span.getAttribute("role") === "status").textContent,
      buttons: all("button").map((button) => button.textContent),
      pressed: all("button").filter((button) => button.getAttribute("aria-pressed") === "true")
        .map((button) => button.textContent),
      disabled: all("button").filter((button) => button.disabled).map((button) => button.textContent),
      headings: [...all("h3"), ...all("h4")].map((heading) => heading.textContent),
      texts: all("pre").map((block) => block.textContent),
      codes: all("code").map((code) => code.textContent),
      verdicts: all("span").map((span) => span.textContent)
        .filter((text) => ["correct", "wrong", "unscorable"].includes(text)),
      links: all("a").map((link) => `${link.textContent} -> ${link.getAttribute("href")}`),
      markup: all("img").length + all("script").length + all("b").length,
    };
  };
  const click = (label) => all("button").find((button) => button.textContent.startsWith(label)).click();
  const choose = (label, value) => {
    const list = all("label").find((item) => item.textContent.startsWith(label)).querySelectorAll("select")[0];
    list.value = String(value);
    list.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const press = (key, target = document.body, options = {}) => target.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...options }));

  root.scrollIntoView();
  note("start");
  press("j"); press("ArrowRight"); note("two further");
  press("k"); note("one back");
  press("j", all("select")[0]); press("j", document.body, { ctrlKey: true }); press("x"); note("not moved");
  for (const key of ["ArrowLeft", "k", "k"]) press(key, all("button")[0]);
  note("first");
  click("Next"); note("next");
  click("only WeFT"); note("only treatment");
  choose("Benchmark", 2); note("benchmark");
  choose("Training seed", 1); note("seed");
  click("all"); choose("Benchmark", 0); for (let i = 0; i < 99; i += 1) press("j"); note("last");

  report.isAttacked = "attacked" in globalThis;
  const result = document.getElementById("report");
  result.textContent = JSON.stringify(report);
})();
