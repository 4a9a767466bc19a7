"use strict";
// The skill tables: any score, region and class of hours of the scorecard in the page.
(() => {
  const card = JSON.parse(document.getElementById("score-data").textContent);
  const goals = JSON.parse(document.getElementById("score-goals").textContent);
  const form = document.getElementById("score-controls");
  const home = document.getElementById("scores");
  const own = document.querySelector("tr.default > th")?.textContent;
  // The order of the methods is that of the tables in the page.
  const order = [...new Set([...home.querySelectorAll("tbody th")].map((th) => th.textContent))];
  const [METHOD, CASE, VARIABLE, REGION, HOURS, METRIC, VALUE, LOW, HIGH] = Array(9).keys();

  const node = (name, text, attributes = {}) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const written = (value) => {
    if (value === null) return "–";
    const size = Math.abs(value);
    return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(2) : String(Number(value.toPrecision(3)));
  };
  const options = (name, words, label = (word) => word) => {
    for (const word of words) form.elements[name].append(node("option", label(word), { value: word }));
  };
  options("metric", Object.keys(card.metrics).filter((m) => card.words.metric.includes(m)), (m) => `${m}: ${card.metrics[m][0]}`);
  options("region", card.words.region);
  options("hours", ["all", "observed", "between"].filter((h) => card.words.hours.includes(h)));
  form.elements.metric.value = "crps";

  // How far a line is from its goal: its value and the ends of its interval, errors of either sign being the same.
  const target = { zero: 0, one: 1, half: 0.5, nine: 0.9 };
  const distance = (row, goal) => {
    if (!(goal in target)) return [row[VALUE], row[LOW], row[HIGH]];
    const [value, low, high] = [VALUE, LOW, HIGH].map((at) => Math.abs(row[at] - target[goal]));
    const reached = row[LOW] <= target[goal] && target[goal] <= row[HIGH];
    return [value, reached ? 0 : Math.min(low, high), Math.max(low, high)];
  };
  const overlap = ([, low, high], [, lowest, highest]) => low <= highest && high >= lowest;

  function table(place, rows, metric) {
    const goal = card.metrics[metric][1];
    const names = [...new Set(rows.map((row) => card.words.variable[row[VARIABLE]]))].sort();
    const made = node("table");
    const choice = `${form.elements.region.value === "all" ? "all cells" : form.elements.region.value}, ${form.elements.hours.value} hours`;
    made.append(node("caption", `${place}: ${card.metrics[metric][0]}, ${choice}; ${goals[goal]}`));
    const head = node("tr");
    head.append(node("th", "method", { scope: "col" }), ...names.map((n) => node("th", n, { scope: "col" })));
    made.append(node("thead"), node("tbody"));
    made.tHead.append(head);
    const best = new Map();
    for (const row of rows) {
      const method = card.words.method[row[METHOD]];
      if (row[VALUE] === null || method === "noise-floor") continue;
      // The default, which is as good as itself, has no line among those that are behind it.
      if (goal === "below" && !best.has(row[VARIABLE])) best.set(row[VARIABLE], Array(9).fill(0));
      const old = best.get(row[VARIABLE]);
      if (!old || distance(row, goal)[0] < distance(old, goal)[0]) best.set(row[VARIABLE], row);
    }
    for (const method of order) {
      const mine = rows.filter((row) => card.words.method[row[METHOD]] === method);
      if (!mine.length) continue;
      const line = node("tr", undefined, method === own ? { class: "default" } : {});
      line.append(node("th", method, { scope: "row" }));
      for (const name of names) {
        const row = mine.find((r) => card.words.variable[r[VARIABLE]] === name);
        const cell = node("td", row ? (row[VALUE] === null ? "not available" : written(row[VALUE])) : "–");
        if (row && row[VALUE] === null) {
          const reason = card.reasons[[method, place, form.elements.metric.value].join("|")];
          if (reason) cell.append(node("small", reason));
        }
        if (row && row[VALUE] !== null) {
          const top = best.get(row[VARIABLE]);
          if (row[LOW] !== null) cell.append(node("small", `${written(row[LOW])} to ${written(row[HIGH])}`));
          if (row === top) cell.className = "best";
          else if (top && method !== "noise-floor" && row[LOW] !== null && top[LOW] !== null && overlap(distance(row, goal), distance(top, goal))) cell.className = "level";
        }
        line.append(cell);
      }
      made.tBodies[0].append(line);
    }
    const frame = node("div", undefined, { class: "scroll", tabindex: "0", role: "region", "aria-label": `Skill in the case ${place}` });
    frame.append(made);
    return frame;
  }

  function show() {
    const wanted = [form.elements.region.value, form.elements.hours.value, form.elements.metric.value];
    const rows = card.rows.filter((row) => card.words.region[row[REGION]] === wanted[0]
      && card.words.hours[row[HOURS]] === wanted[1] && card.words.metric[row[METRIC]] === wanted[2]);
    const made = card.words.case
      .map((place, at) => [place, rows.filter((row) => row[CASE] === at)])
      .filter(([, mine]) => mine.length)
      .map(([place, mine]) => table(place, mine, wanted[2]));
    home.replaceChildren(...(made.length ? made : [node("p", "This score is not computed for that region and those hours.")]));
  }
  form.addEventListener("change", show);
  form.hidden = false;

  const button = document.getElementById("theme");
  button.hidden = false;
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
})();
