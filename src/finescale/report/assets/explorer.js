"use strict";
// The explorer: four maps that share an hour and a point, and the curves at that point.
(() => {
  const data = JSON.parse(document.getElementById("explorer-data").textContent);
  const form = document.getElementById("explore-controls");
  const slider = document.getElementById("hour");
  const play = document.getElementById("play");
  const chart = document.getElementById("chart");
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const colours = Object.fromEntries(Object.entries(data.colours).map(([name, text]) => [name, bytes(text)]));
  const unpackedFields = new Map();
  const state = { case: Object.keys(data.cases)[0], variable: "", third: "", fourth: "", hour: 0, row: 0, column: 0 };
  let timer = 0;
  let drawing = 0;

  const here = () => data.cases[state.case];
  const shown = () => here().variables[state.variable];
  const differenceUnit = () => (shown().unit === "°C" ? "K" : shown().unit);

  // One field of one variable, all hours: inflate, then add up the hourly changes.
  async function field(key) {
    const name = `${state.case}|${state.variable}|${key}`;
    if (!unpackedFields.has(name)) {
      const { fields, low, high } = shown();
      if (!(key in fields)) return null;
      const [rows, columns] = key === "coarse" ? here().coarse.shape : [here().lat.length, here().lon.length];
      const stream = new Blob([bytes(fields[key])]).stream().pipeThrough(new DecompressionStream("deflate"));
      const steps = new Uint8Array(await new Response(stream).arrayBuffer());
      const size = rows * columns;
      const values = new Float32Array(steps.length);
      const level = new Uint8Array(size);
      for (let i = 0; i < steps.length; i += 1) {
        const cell = i % size;
        level[cell] = (level[cell] + steps[i]) & 255;
        values[i] = low + (level[cell] / 255) * (high - low);
      }
      unpackedFields.set(name, { values, rows, columns });
    }
    return unpackedFields.get(name);
  }

  // What a map shows at the hour: values, how they are coloured, and a name.
  async function view(choice) {
    const { low, high, colours: map, unit } = shown();
    const plain = { low, high, map, unit };
    const frame = (f, hour) => f.values.subarray(hour * f.rows * f.columns, (hour + 1) * f.rows * f.columns);
    if (choice === "coarse") {
      const at = here().coarse.stamps.filter((stamp) => stamp <= state.hour).length - 1;
      const f = await field("coarse");
      if (!f || at < 0) return null;
      const age = state.hour - here().coarse.stamps[at];
      return { ...plain, ...f, values: frame(f, at), name: age ? `coarse input, ${age} h old` : "coarse input" };
    }
    if (choice === "truth") {
      const f = await field("truth");
      return { ...plain, ...f, values: frame(f, state.hour), name: "truth" };
    }
    const [method, kind] = choice.split("/");
    const count = here().methods[method];
    if (/^\d+$/.test(kind)) {
      const f = await field(choice);
      const name = count > 1 ? `${method}, member ${Number(kind) + 1}` : method;
      return { ...plain, ...f, values: frame(f, state.hour), name };
    }
    const members = [];
    for (let m = 0; m < count; m += 1) members.push(await field(`${method}/${m}`));
    const frames = members.map((f) => frame(f, state.hour));
    const mean = frames[0].map((_, i) => frames.reduce((sum, f) => sum + f[i], 0) / count);
    const grid = { rows: members[0].rows, columns: members[0].columns };
    if (kind === "mean") return { ...plain, ...grid, values: mean, name: `${method}, mean of ${count}` };
    const top = (high - low) / 4;
    if (kind === "spread") {
      const spread = mean.map((m, i) => Math.sqrt(frames.reduce((sum, f) => sum + (f[i] - m) ** 2, 0) / (count - 1)));
      return { low: 0, high: top, map: "magma", unit: differenceUnit(), ...grid, values: spread, name: `${method}, spread of ${count}` };
    }
    const truth = frame(await field("truth"), state.hour);
    const name = count > 1 ? `${method}, mean − truth` : `${method} − truth`;
    return { low: -top, high: top, map: "RdBu_r", unit: differenceUnit(), ...grid, values: mean.map((m, i) => m - truth[i]), name };
  }

  const short = (value) => String(Number(value.toPrecision(4)));

  function paint(panel, seen) {
    const canvas = document.querySelector(`canvas[data-panel="${panel}"]`);
    const caption = canvas.parentElement.querySelector("figcaption");
    const [low, high] = canvas.parentElement.querySelectorAll(".ends span");
    const { lat, lon, coast } = here();
    const middle = (lat[0] + lat[lat.length - 1]) / 2;
    const wide = (lon[1] - lon[0]) * Math.cos((middle * Math.PI) / 180) * lon.length;
    canvas.width = 420;
    canvas.height = Math.round((420 * (lat[1] - lat[0]) * lat.length) / wide);
    const pen = canvas.getContext("2d");
    if (!seen) {
      caption.textContent = "nothing at this hour";
      canvas.setAttribute("aria-label", caption.textContent);
      return;
    }
    const table = colours[seen.map];
    const picture = new ImageData(seen.columns, seen.rows);
    for (let i = 0; i < seen.values.length; i += 1) {
      const share = Math.round((255 * (seen.values[i] - seen.low)) / (seen.high - seen.low));
      const colour = 3 * Math.min(255, Math.max(0, share));
      const row = seen.rows - 1 - Math.floor(i / seen.columns);
      picture.data.set([table[colour], table[colour + 1], table[colour + 2], 255], 4 * (row * seen.columns + (i % seen.columns)));
    }
    const small = new OffscreenCanvas(seen.columns, seen.rows);
    small.getContext("2d").putImageData(picture, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, canvas.width, canvas.height);
    const [dx, dy] = [canvas.width / lon.length, canvas.height / lat.length];
    pen.strokeStyle = "#000";
    pen.lineWidth = 1.2;
    pen.beginPath();
    for (const [x0, y0, x1, y1] of coast) {
      pen.moveTo(x0 * dx, canvas.height - y0 * dy);
      pen.lineTo(x1 * dx, canvas.height - y1 * dy);
    }
    pen.stroke();
    const [x, y] = [(state.column + 0.5) * dx, canvas.height - (state.row + 0.5) * dy];
    for (const [colour, width] of [["#fff", 5], ["#000", 2]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.beginPath();
      pen.arc(x, y, 9, 0, 2 * Math.PI);
      pen.stroke();
    }
    caption.textContent = seen.name;
    low.textContent = short(seen.low);
    high.textContent = `${short(seen.high)} ${seen.unit}`;
    const i = Math.floor((state.row * seen.rows) / lat.length) * seen.columns + Math.floor((state.column * seen.columns) / lon.length);
    canvas.setAttribute("aria-label", `Map of ${shown().label}, ${seen.name}; at the chosen point ${short(seen.values[i])} ${seen.unit}. Arrow keys move the point.`);
    const bar = document.querySelector(`canvas[data-bar="${panel}"]`).getContext("2d");
    const strip = new ImageData(256, 1);
    for (let c = 0; c < 256; c += 1) strip.data.set([...table.subarray(3 * c, 3 * c + 3), 255], 4 * c);
    bar.putImageData(strip, 0, 0);
  }

  const part = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  async function curves() {
    const { lat, lon, hours, coarse, methods } = here();
    const cell = state.row * lon.length + state.column;
    const series = (f, at) => hours.map((_, t) => f.values[t * f.rows * f.columns + at]);
    const method = state.third.split("/")[0];
    const truth = series(await field("truth"), cell);
    const members = [];
    for (let m = 0; m < methods[method]; m += 1) members.push(series(await field(`${method}/${m}`), cell));
    const mean = truth.map((_, t) => members.reduce((sum, s) => sum + s[t], 0) / members.length);
    const all = [...truth, ...members.flat()];
    let [low, high] = [Math.min(...all), Math.max(...all)];
    const room = (high - low || 1) * 0.06;
    [low, high] = [low - room, high + room];
    const X = (t) => 60 + (t * 825) / Math.max(1, hours.length - 1);
    const Y = (v) => 265 - ((v - low) * 245) / (high - low);
    const path = (s) => "M" + s.map((v, t) => `${X(t).toFixed(1)},${Y(v).toFixed(1)}`).join("L");
    const parts = [];
    for (let k = 0; k <= 4; k += 1) {
      const v = low + (k * (high - low)) / 4;
      parts.push(part("line", { class: "grid", x1: 60, x2: 885, y1: Y(v), y2: Y(v) }));
      parts.push(part("text", { x: 54, y: Y(v) + 4, "text-anchor": "end" }, short(v)));
    }
    hours.forEach((hour, t) => {
      if (hour.endsWith("00:00")) {
        parts.push(part("line", { class: "grid", x1: X(t), x2: X(t), y1: 20, y2: 265 }));
        parts.push(part("text", { x: X(t) + 3, y: 282 }, hour.slice(5, 10)));
      }
    });
    parts.push(part("text", { x: 60, y: 14 }, `${shown().label}, ${shown().unit}: ${method}`));
    if (members.length > 1) {
      const top = truth.map((_, t) => Math.max(...members.map((s) => s[t])));
      const bottom = truth.map((_, t) => Math.min(...members.map((s) => s[t])));
      const back = bottom.map((v, t) => `${X(t).toFixed(1)},${Y(v).toFixed(1)}`).reverse().join("L");
      parts.push(part("path", { class: "band", d: `${path(top)}L${back}Z` }));
      for (const s of members) parts.push(part("path", { class: "member", d: path(s) }));
    }
    parts.push(part("path", { class: "mean", d: path(mean) }), part("path", { class: "truth", d: path(truth) }));
    const f = await field("coarse");
    if (f) {
      const at = Math.floor((state.row * f.rows) / lat.length) * f.columns + Math.floor((state.column * f.columns) / lon.length);
      coarse.stamps.forEach((stamp, k) => {
        const y = Math.min(265, Math.max(20, Y(f.values[k * f.rows * f.columns + at])));
        parts.push(part("circle", { class: "coarse", cx: X(stamp), cy: y, r: 3.5 }));
      });
    }
    parts.push(part("line", { class: "now", x1: X(state.hour), x2: X(state.hour), y1: 20, y2: 265 }));
    chart.replaceChildren(...parts);
    const now = state.hour;
    const spread = members.length > 1
      ? `, members ${short(Math.min(...members.map((s) => s[now])))} to ${short(Math.max(...members.map((s) => s[now])))}`
      : "";
    const text = `${hours[now]} UTC at ${lat[state.row].toFixed(2)} N, ${lon[state.column].toFixed(2)} E: truth ${short(truth[now])}, ${method} ${short(mean[now])}${spread} ${shown().unit}`;
    document.getElementById("readout").textContent = text;
    chart.setAttribute("aria-label", `Time series at the chosen point. ${text}`);
  }

  async function draw() {
    const turn = (drawing += 1);
    const seen = [];
    for (const choice of ["truth", "coarse", state.third, state.fourth]) seen.push(await view(choice));
    if (turn !== drawing) return; // a later choice overtook this one
    ["truth", "coarse", "third", "fourth"].forEach((panel, i) => paint(panel, seen[i]));
    slider.value = String(state.hour);
    slider.setAttribute("aria-valuetext", here().hours[state.hour]);
    await curves();
  }

  function fill(select, entries, wanted) {
    select.replaceChildren();
    for (const [value, label] of entries) {
      const option = document.createElement("option");
      [option.value, option.textContent] = [value, label];
      select.append(option);
    }
    select.value = entries.some(([value]) => value === wanted) ? wanted : entries[0][0];
    return select.value;
  }

  function choices() {
    return Object.entries(here().methods).flatMap(([method, count]) => {
      const members = Array.from({ length: count }, (_, m) => [`${method}/${m}`, count > 1 ? `${method}, member ${m + 1}` : method]);
      const sums = count > 1 ? [[`${method}/mean`, `${method}, mean`], [`${method}/spread`, `${method}, spread`]] : [];
      return [...members, ...sums, [`${method}/error`, `${method}, error`]];
    });
  }

  function turnTo(name) {
    state.case = name;
    state.variable = fill(form.elements.variable, Object.entries(here().variables).map(([n, v]) => [n, v.label]), state.variable);
    state.third = fill(form.elements.third, choices(), state.third);
    const other = here().methods[state.third.split("/")[0]] > 1 ? state.third.replace(/\d+$/, "1") : state.third.replace(/\d+$/, "error");
    state.fourth = fill(form.elements.fourth, choices(), state.fourth || other);
    state.hour = here().storm;
    [state.row, state.column] = [here().lat.length >> 1, here().lon.length >> 1];
    slider.max = String(here().hours.length - 1);
  }

  function stop() {
    clearInterval(timer);
    timer = 0;
    play.setAttribute("aria-pressed", "false");
    play.textContent = "▶ Play";
  }

  play.addEventListener("click", () => {
    if (timer) return stop();
    play.setAttribute("aria-pressed", "true");
    play.textContent = "⏸ Pause";
    timer = setInterval(() => {
      state.hour = (state.hour + 1) % here().hours.length;
      draw();
    }, 250);
    return undefined;
  });
  slider.addEventListener("input", () => { stop(); state.hour = Number(slider.value); draw(); });
  form.addEventListener("change", (event) => {
    const { name, value } = event.target;
    if (name === "case") turnTo(value);
    else state[name] = value;
    draw();
  });
  for (const canvas of document.querySelectorAll("canvas[data-panel]")) {
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      const { lat, lon } = here();
      state.column = Math.min(lon.length - 1, Math.floor(((event.clientX - box.left) / box.width) * lon.length));
      state.row = Math.min(lat.length - 1, Math.floor((1 - (event.clientY - box.top) / box.height) * lat.length));
      draw();
    });
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      state.row = Math.min(here().lat.length - 1, Math.max(0, state.row + step[0]));
      state.column = Math.min(here().lon.length - 1, Math.max(0, state.column + step[1]));
      draw();
    });
  }
  state.case = fill(form.elements.case, Object.keys(data.cases).map((name) => [name, name]), state.case);
  turnTo(state.case);
  document.getElementById("explore").hidden = false;
  draw();
})();
