// Corrections of objects: boxes are drawn, moved and resized on the image by mouse, touch or keys.
// The form next to it works without this script; here its fields follow the box.
"use strict";

const SIDES = ["x_min", "y_min", "x_max", "y_max"];
const NEAR_PX = 16;
const panel = document.getElementById("edit");
const form = panel.querySelector("form");
const stage = document.querySelector("#viewer .stage");
const picture = stage.querySelector("img");
const limits = ["width", "height"].map((name) => Number(picture.getAttribute(name)));
const step = Math.max(1, Math.round(Math.max(...limits) / 200));
const draft = { box: null, isFresh: false, drag: null }; // isFresh: a new box was asked for, and the next drag draws it

const svg = (name, parent, attributes = {}) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return parent.appendChild(made);
};
const layer = svg("svg", stage, { class: "draft", "aria-hidden": "true" });
const outline = svg("rect", layer, { class: "draft-box" });
const corners = [0, 1, 2, 3].map(() => svg("circle", layer, { class: "corner", r: 6 }));

const radios = () => [...form.querySelectorAll("[name=object]")];
const chosenRadio = () => form.querySelector("[name=object]:checked");
const clamp = (value, most) => Math.min(Math.max(value, 0), most);
const tidy = (value) => Math.round(value * 10) / 10;

function cornersOf([left, top, right, bottom]) {
  return [[left, top], [right, top], [right, bottom], [left, bottom]];
}

function render() {
  layer.classList.toggle("hidden", !draft.box || !panel.open);
  if (!draft.box) return;
  const [left, top, right, bottom] = draft.box;
  const share = (value, axis) => `${(100 * value) / limits[axis]}%`;
  outline.setAttribute("x", share(left, 0));
  outline.setAttribute("y", share(top, 1));
  outline.setAttribute("width", share(right - left, 0));
  outline.setAttribute("height", share(bottom - top, 1));
  cornersOf(draft.box).forEach(([x, y], index) => {
    corners[index].setAttribute("cx", share(x, 0));
    corners[index].setAttribute("cy", share(y, 1));
  });
}

function setBox(box) {
  draft.box = box;
  SIDES.forEach((name, index) => {
    form.elements[name].value = box ? tidy(box[index]) : "";
  });
  render();
}

function choose(radio) {
  radio.checked = true;
  const { label, box } = radio.dataset;
  form.elements.label.value = label ?? "";
  draft.isFresh = !box;
  setBox(box ? box.split(" ").map(Number) : null);
  document.querySelectorAll(".shapes .dimmed").forEach((shape) => shape.classList.remove("dimmed"));
  const index = radios().indexOf(radio);
  document.querySelector(`.shapes .object-${index}`)?.classList.add("dimmed");
}

function newBox(box) {
  choose(radios().at(-1));
  form.elements.label.value = sessionStorage.getItem("gallery label") ?? "";
  setBox(box);
}

function moved([left, top, right, bottom], [x, y]) {
  const [dx, dy] = [clamp(left + x, limits[0] - right + left) - left, clamp(top + y, limits[1] - bottom + top) - top];
  return [left + dx, top + dy, right + dx, bottom + dy];
}

function between([x, y], [otherX, otherY]) {
  return [Math.min(x, otherX), Math.min(y, otherY), Math.max(x, otherX), Math.max(y, otherY)];
}

// A pointer's place in pixels of the image.
function placeOf(event) {
  const shown = picture.getBoundingClientRect();
  return [
    clamp(((event.clientX - shown.left) * limits[0]) / shown.width, limits[0]),
    clamp(((event.clientY - shown.top) * limits[1]) / shown.height, limits[1]),
  ];
}

const isIn = ([x, y], [left, top, right, bottom]) => x >= left && x <= right && y >= top && y <= bottom;

function nearCorner([x, y]) {
  if (!draft.box) return -1;
  const near = (NEAR_PX * limits[0]) / picture.getBoundingClientRect().width;
  return cornersOf(draft.box).findIndex(([left, top]) => Math.hypot(left - x, top - y) <= near);
}

// The smallest box under a place.
function radioAt(place) {
  const area = ([left, top, right, bottom]) => (right - left) * (bottom - top);
  const boxes = radios().slice(0, -1).map((radio) => [radio, radio.dataset.box.split(" ").map(Number)]);
  const under = boxes.filter(([, box]) => isIn(place, box));
  return under.sort(([, one], [, other]) => area(one) - area(other))[0]?.[0];
}

stage.addEventListener("pointerdown", (event) => {
  if (!panel.open || event.button) return;
  event.preventDefault();
  const place = placeOf(event);
  const corner = nearCorner(place);
  const isNew = chosenRadio().value === "new" && draft.isFresh;
  const other = isNew ? null : radioAt(place);
  if (corner >= 0) {
    draft.drag = { from: cornersOf(draft.box)[(corner + 2) % 4] };
  } else if (draft.box && !isNew && isIn(place, draft.box)) {
    draft.drag = { box: draft.box, start: place };
  } else if (other) {
    choose(other);
    draft.drag = { box: draft.box, start: place };
  } else {
    newBox(null);
    draft.drag = { from: place, isNew: true };
  }
  stage.setPointerCapture(event.pointerId);
});

stage.addEventListener("pointermove", (event) => {
  const { drag } = draft;
  if (!drag) return;
  const place = placeOf(event);
  if (drag.from) setBox(between(drag.from, place));
  else setBox(moved(drag.box, [place[0] - drag.start[0], place[1] - drag.start[1]]));
});

for (const name of ["pointerup", "pointercancel"]) {
  stage.addEventListener(name, () => {
    const { drag } = draft;
    draft.drag = null;
    if (!drag?.isNew || !draft.box) return;
    draft.isFresh = false;
    if (!form.elements.label.value) form.elements.label.focus();
  });
}

form.addEventListener("change", ({ target }) => {
  if (target.name === "object") choose(target);
});

form.addEventListener("input", ({ target }) => {
  if (!SIDES.includes(target.name)) return;
  const box = SIDES.map((name) => form.elements[name].valueAsNumber);
  draft.box = box.some(Number.isNaN) ? null : box;
  render();
});

// A new box without a box or a label: say it here, the server would answer with an error page.
form.addEventListener("submit", (event) => {
  form.elements.edit.value = panel.open ? "on" : "";
  const label = form.elements.label.value.trim();
  const isNew = event.submitter?.value === "save" && chosenRadio().value === "new";
  if (isNew && !(label && draft.box)) {
    event.preventDefault();
    form.querySelector(".hint").textContent = draft.box
      ? "The new box has no label: type the class of the object."
      : "There is nothing to save: draw a box on the image, or choose an object.";
    if (draft.box) form.elements.label.focus();
    return;
  }
  if (label) sessionStorage.setItem("gallery label", label);
});

panel.addEventListener("toggle", () => {
  document.documentElement.classList.toggle("editing", panel.open);
  history.replaceState(null, "", panel.open ? "#editing" : location.pathname + location.search);
  render();
});

function walk(by) {
  const all = radios();
  const isNew = chosenRadio().value === "new" && !draft.box;
  const index = isNew ? (by > 0 ? 0 : all.length - 2) : all.indexOf(chosenRadio()) + by;
  choose(all[(index + all.length) % all.length]);
}

function arrow(key, isResized) {
  if (!draft.box) return;
  const [x, y] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[key];
  const [left, top, right, bottom] = draft.box;
  draft.isFresh = false;
  if (!isResized) return setBox(moved(draft.box, [x, y]));
  setBox([left, top, Math.max(clamp(right + x, limits[0]), left + 1), Math.max(clamp(bottom + y, limits[1]), top + 1)]);
}

const press = (action) => form.querySelector(`[value=${action}]`).click();
const EDIT_KEYS = {
  n: () => newBox([limits[0] / 3, limits[1] / 3, (2 * limits[0]) / 3, (2 * limits[1]) / 3]),
  o: () => walk(1),
  O: () => walk(-1),
  t: () => form.elements.label.focus(),
  d: () => chosenRadio().value !== "new" && press("delete"),
  Enter: () => press("save"),
  Escape: () => { panel.open = false; },
};
EDIT_KEYS.Delete = EDIT_KEYS.d;

document.addEventListener(
  "keydown",
  (event) => {
    const { key, target, shiftKey } = event;
    const isArrow = key.startsWith("Arrow");
    if (!panel.open || document.querySelector("[popover]:popover-open")) return;
    if (target.closest("#editing") && key === "Escape") target.blur();
    if (!isShortcut(event, isArrow) && key !== "Escape") return;
    if (isArrow && target.type === "radio") return event.stopImmediatePropagation();
    if (key === "Enter" && target.closest("button, a, summary")) return;
    if (!isArrow && !EDIT_KEYS[key]) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (isArrow) arrow(key, shiftKey);
    else EDIT_KEYS[key]();
  },
  true,
);

if (location.hash === "#editing") panel.open = true;
render();
