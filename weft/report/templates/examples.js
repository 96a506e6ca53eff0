// The example browser of the report page. Questions and answers are untrusted: they are shown as textContent,
// never as HTML, and the only links are those to the pages with the answers step by step.
"use strict";
(async () => {
  const VERDICTS = { c: "correct", w: "wrong", u: "unscorable" };
  const NOT_ASKED = "-";
  const KEYS = new Map([["j", 1], ["ArrowRight", 1], ["k", -1], ["ArrowLeft", -1]]);
  const root = document.getElementById("example-browser");
  const choice = { kind: "", benchmark: -1, dataset: null, length: null, seed: null };
  let data, comparison, shown = [], current = 0;

  function make(parent, tag, text = "", name = "") {
    const element = document.createElement(tag);
    element.textContent = text;
    element.className = name;
    parent.append(element);
    return element;
  }

  function number(value) {
    return value.toLocaleString("en");
  }

  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
  }

  // Which questions are shown

  function kindOf(index) {
    const verdicts = comparison.sheets.map((sheet) => data.sheets[sheet].verdicts[index]);
    if (verdicts.includes(NOT_ASKED)) return null;
    if (data.pair === null) return VERDICTS[verdicts[0]];
    const [treatment, control] = data.pair.map((column) => verdicts[column] === "c");
    return treatment ? (control ? "both" : "treatment") : (control ? "control" : "neither");
  }

  function ofBenchmark(benchmark) {
    return choice.benchmark < 0 || choice.benchmark === benchmark;
  }

  function countAll(kind) {
    let count = 0;
    comparison.totals.forEach((totals, benchmark) => {
      if (!ofBenchmark(benchmark)) return;
      for (const [name, value] of Object.entries(totals)) if (!kind || name === kind) count += value;
    });
    return count;
  }

  function select() {
    const before = shown[current];
    comparison = data.comparisons.find((item) => item.dataset === choice.dataset
      && item.gen_length === choice.length && item.seed === choice.seed);
    const counts = new Map();
    shown = [];
    data.questions.forEach((question, index) => {
      const kind = kindOf(index);
      if (kind === null || !ofBenchmark(question.benchmark)) return;
      for (const name of ["", kind]) counts.set(name, (counts.get(name) || 0) + 1);
      if (!choice.kind || kind === choice.kind) shown.push(index);
    });
    current = Math.max(0, shown.indexOf(before));
    for (const { button, kind, label } of filters) {
      const [count, all] = [counts.get(kind) || 0, countAll(kind)];
      button.textContent = `${label} (${number(count)}${count < all ? ` of ${number(all)}` : ""})`;
      button.setAttribute("aria-pressed", String(kind === choice.kind));
    }
    show();
  }

  function move(step) {
    current = Math.min(Math.max(current + step, 0), shown.length - 1);
    show();
  }

  // What is shown of a question

  function show() {
    previous.disabled = current <= 0;
    next.disabled = current >= shown.length - 1;
    place.textContent = shown.length ? `Question ${number(current + 1)} of ${number(shown.length)}` : "No question matches.";
    example.replaceChildren();
    if (!shown.length) return;
    const index = shown[current];
    const question = data.questions[index];
    make(example, "h3", `${data.benchmarks[question.benchmark]}, example ${question.example_id}`);
    makeText(example, "Question", question.text);
    const gold = make(example, "p", "Gold answer: ");
    make(gold, "code", question.gold === null ? "not in this page" : question.gold);
    const answers = make(example, "div", "", "answers");
    comparison.sheets.forEach((place, column) => showAnswer(answers, column, data.sheets[place], question, index));
  }

  function makeText(parent, label, text) {
    if (text === null) return make(parent, "p", `${label}: not in this page.`, "soft");
    const block = make(parent, "pre", text);
    block.tabIndex = 0;  // it scrolls if it is long
    block.setAttribute("role", "group");
    block.setAttribute("aria-label", label);
    return block;
  }

  function showAnswer(parent, column, sheet, question, index) {
    const part = make(parent, "section");
    make(part, "h4", sheet.label);
    const verdict = VERDICTS[sheet.verdicts[index]];
    const line = make(part, "p");
    make(line, "span", verdict, `tag ${verdict}`);
    const texts = sheet.texts;
    if (texts !== null) {
      const extracted = texts.extracted[index];
      make(line, "span", extracted === null ? " nothing extracted" : " extracted: ");
      if (extracted !== null) make(line, "code", extracted);
      if (texts.reasons[index]) make(part, "p", texts.reasons[index], "soft");
    }
    makeText(part, `Answer of ${data.columns[column]}`, texts === null ? null : texts.answers[index]);
    if (sheet.trace !== null) {
      const isThis = question.is_first && comparison.gen_length === data.trace_length;
      const text = isThis ? "This answer step by step"
        : `Another answer step by step: the first question, ${data.trace_length} tokens`;
      const link = make(make(part, "p", "", "soft"), "a", text);
      link.href = `${sheet.trace}#q${question.benchmark + 1}`;
    }
  }

  // Controls

  function makeChoice(parent, label, options, change) {
    if (options.length < 2) return;
    const holder = make(parent, "label", `${label} `);
    const list = make(holder, "select");
    options.forEach((option, index) => { make(list, "option", option).value = String(index); });
    list.addEventListener("change", () => { change(Number(list.value)); select(); });
  }

  function makeChoices(parent) {
    makeChoice(parent, "Benchmark", ["all", ...data.benchmarks], (index) => { choice.benchmark = index - 1; });
    for (const [name, key, label, unit] of [["dataset", "dataset", "Training set", ""],
      ["length", "gen_length", "Length", " tokens"], ["seed", "seed", "Training seed", ""]]) {
      const values = [...new Set(data.comparisons.map((item) => item[key]))];
      choice[name] = values[0];
      makeChoice(parent, label, values.map((value) => `${value}${unit}`), (index) => { choice[name] = values[index]; });
    }
  }

  function makeButton(parent, text, press) {
    const button = make(parent, "button", text);
    button.type = "button";
    button.addEventListener("click", press);
    return button;
  }

  function isField(element) {
    return element.isContentEditable || ["INPUT", "SELECT", "TEXTAREA"].includes(element.tagName);
  }

  function isOnScreen() {
    const { top, bottom } = root.getBoundingClientRect();
    return bottom > 0 && top < window.innerHeight;
  }

  function press(event) {
    const step = KEYS.get(event.key);
    const target = event.target;
    const isElsewhere = target !== document.body && !root.contains(target);
    if (step === undefined || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey
      || isElsewhere || isField(target) || !isOnScreen()) return;
    event.preventDefault();
    move(step);
  }

  const message = document.getElementById("example-message");
  try {
    data = await unpack(document.getElementById("example-data").textContent);
  } catch (error) {
    message.textContent = "This browser cannot unpack the examples; the file with all answers contains them.";
    return;
  }
  message.hidden = true;
  makeChoices(make(root, "div", "", "choices"));
  const buttons = make(root, "div", "", "filters");
  buttons.setAttribute("role", "group");
  buttons.setAttribute("aria-label", "Verdicts");
  const filters = data.filters.map(([kind, label]) => (
    { kind, label, button: makeButton(buttons, label, () => { choice.kind = kind; select(); }) }));
  const steps = make(root, "div", "", "steps");
  const previous = makeButton(steps, "Previous", () => move(-1));
  const next = makeButton(steps, "Next", () => move(1));
  const place = make(steps, "span");
  place.setAttribute("role", "status");
  const example = make(root, "article");
  document.addEventListener("keydown", press);
  select();
})();
