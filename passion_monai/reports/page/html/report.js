"use strict";
(() => {
  const stored = JSON.parse(document.getElementById("case-data").textContent);
  const find = (id) => document.getElementById(id);
  if (!stored.cases.length) {
    find("no-cases").hidden = false;
    return;
  }
  const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const classColours = stored.colours.map(rgb);
  const errorColours = Object.fromEntries(Object.entries(stored.errors).map(([kind, hex]) => [kind, rgb(hex)]));
  let current = null; // the case, its images as elements and its label maps as arrays

  function decode(text, size) {
    const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
    const labels = new Uint8Array(size);
    for (let i = 0, at = 0; i < bytes.length; ) {
      const label = bytes[i++];
      let length = 0, shift = 0, byte;
      do {
        byte = bytes[i++];
        length += (byte & 127) * 2 ** shift;
        shift += 7;
      } while (byte >= 128);
      labels.fill(label, at, at + length);
      at += length;
    }
    return labels;
  }

  function options(select, values, names) {
    const before = select.value;
    select.replaceChildren(...values.map((value, i) => new Option((names || values)[i], value)));
    if (values.includes(before)) select.value = before;
  }

  function open(entry) {
    const [n, first, second] = entry.shape;
    const size = n * first * second;
    current = { entry, width: first, height: second, size, images: {}, maps: {}, reference: decode(entry.reference, size) };
    for (const [name, uri] of Object.entries(entry.images)) {
      const image = new Image();
      image.onload = draw;
      image.src = uri;
      current.images[name] = image;
    }
    options(find("run"), entry.runs.map((run) => run.name));
    options(find("modality"), Object.keys(entry.images));
    find("slice").max = entry.slices.length - 1;
    find("slice").value = Math.floor((entry.slices.length - 1) / 2);
    find("class-legend").replaceChildren(...entry.classes.map((name, i) => {
      const item = document.createElement("li"), swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = stored.colours[i % stored.colours.length];
      item.append(swatch, name);
      return item;
    }));
    chooseRun();
  }

  function chooseRun() {
    const run = chosenRun(), subsets = Object.keys(run.subsets), select = find("subset"), before = select.value;
    options(select, subsets, subsets.map((name) => name.replaceAll("+", " + ")));
    if (!subsets.includes(before)) select.value = subsets[subsets.length - 1];
    find("thumbs").replaceChildren(...subsets.map((name) => {
      const button = document.createElement("button"), canvas = document.createElement("canvas");
      button.type = "button";
      button.dataset.subset = name;
      const dice = Object.values(run.dice[name] || {});
      const mean = dice.length ? ` (Dice ${(dice.reduce((a, b) => a + b) / dice.length).toFixed(1)})` : "";
      button.append(canvas, name.replaceAll("+", " + ") + mean);
      button.onclick = () => { select.value = name; draw(); };
      return button;
    }));
    draw();
  }

  const chosenRun = () => current.entry.runs.find((run) => run.name === find("run").value) || current.entry.runs[0];

  function labelsOf(run, subset) {
    const key = `${run.name}\n${subset}`;
    current.maps[key] = current.maps[key] || decode(run.subsets[subset], current.size);
    return current.maps[key];
  }

  function paint(canvas, colourOf) {
    const { width, height, entry, images } = current, slice = Number(find("slice").value);
    canvas.width = width;
    canvas.height = height;
    canvas.style.aspectRatio = `${width} / ${height * entry.aspect}`;
    const context = canvas.getContext("2d"), image = images[find("modality").value];
    if (image && image.complete && image.naturalWidth) context.drawImage(image, 0, slice * height, width, height, 0, 0, width, height);
    if (!colourOf || !find("overlay").checked) return;
    const layer = document.createElement("canvas");
    layer.width = width;
    layer.height = height;
    const pixels = new ImageData(width, height), offset = slice * width * height;
    for (let i = 0; i < width * height; i++) {
      const colour = colourOf(offset + i);
      if (colour) pixels.data.set([...colour, 190], 4 * i);
    }
    layer.getContext("2d").putImageData(pixels, 0, 0);
    context.drawImage(layer, 0, 0);
  }

  const classAt = (labels) => (i) => labels[i] && classColours[(labels[i] - 1) % classColours.length];
  const errorAt = (labels) => (i) => {
    const ours = labels[i], truth = current.reference[i];
    if (!ours && !truth) return null;
    return errorColours[ours === truth ? 1 : !truth ? 2 : !ours ? 3 : 4];
  };

  function draw() {
    const run = chosenRun(), subset = find("subset").value, entry = current.entry, slice = Number(find("slice").value);
    const errors = find("mode").value === "errors", shown = errors ? errorAt : classAt;
    const where = `${entry.case}, slice ${entry.slices[slice]} of ${entry.depth}`;
    paint(find("image"), null);
    paint(find("reference"), classAt(current.reference));
    paint(find("prediction"), shown(labelsOf(run, subset)));
    find("image").setAttribute("aria-label", `${find("modality").value} of ${where}`);
    find("reference").setAttribute("aria-label", `reference of ${where}`);
    find("prediction").setAttribute("aria-label", `${errors ? "errors" : "prediction"} of ${run.name} from ${subset}, ${where}`);
    find("image-name").textContent = find("modality").value;
    find("prediction-name").textContent = `${errors ? "errors of " : ""}${run.name} from ${subset.replaceAll("+", " + ")}`;
    find("slice-name").textContent = `${entry.slices[slice]} of ${entry.depth}`;
    find("slice").setAttribute("aria-valuetext", `slice ${entry.slices[slice]} of ${entry.depth}`);
    find("error-legend").hidden = !errors;
    const scores = Object.entries(run.dice[subset] || {}).map(([region, value]) => `${region} ${value.toFixed(1)}`);
    find("scores").textContent = `Dice of the whole case [%]: ${scores.join(", ")}`;
    for (const button of find("thumbs").children) {
      button.setAttribute("aria-pressed", String(button.dataset.subset === subset));
      paint(button.firstChild, shown(labelsOf(run, button.dataset.subset)));
    }
  }

  const several = new Set(stored.cases.map((entry) => entry.data)).size > 1;
  options(find("case"), stored.cases.map((_, i) => String(i)), stored.cases.map((entry) => `${entry.case}${several ? `, ${entry.data}` : ""} (worst Dice ${(100 * entry.worst).toFixed(1)})`));
  find("case").onchange = () => open(stored.cases[Number(find("case").value)]);
  find("run").onchange = chooseRun;
  for (const id of ["subset", "modality", "mode", "overlay"]) find(id).onchange = draw;
  find("slice").oninput = draw;
  for (const button of document.querySelectorAll(".show-case")) {
    const place = stored.cases.findIndex((entry) => entry.case === button.dataset.case && entry.runs.some((run) => run.name === button.dataset.run));
    button.disabled = place < 0;
    button.onclick = () => {
      find("case").value = String(place);
      open(stored.cases[place]);
      find("run").value = button.dataset.run;
      chooseRun();
      find("browser").scrollIntoView();
      find("case").focus();
    };
  }
  find("case-browser").hidden = false;
  open(stored.cases[0]);
})();
