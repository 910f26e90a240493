// Keys, the drawing over an image, and the slider. The pages also work without this script.
"use strict";

const remembered = {
  get: (name) => localStorage.getItem(`gallery ${name}`) !== "off",
  set: (name, isOn) => localStorage.setItem(`gallery ${name}`, isOn ? "on" : "off"),
};

// Whether a key is a shortcut: it is not while the user is typing, or if shortcuts are off.
function isShortcut(event, mayRepeat = false) {
  const typed = "input:not([type=checkbox], [type=radio]), select, textarea";
  const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
  const isOnce = mayRepeat || !event.repeat;
  return !event.target.closest(typed) && isPlain && isOnce && remembered.get("keys");
}

// An element with data-key="j ArrowRight" is clicked by these keys, unless the user is typing.
document.addEventListener("keydown", (event) => {
  if (!isShortcut(event)) return;
  if (event.key === "Escape" && document.querySelector("[popover]:popover-open")) return;
  const found = [...document.querySelectorAll("[data-key]")].find((element) =>
    element.dataset.key.split(" ").includes(event.key),
  );
  if (!found) return;
  event.preventDefault();
  found.click();
});

// data-hides="no-masks" sets that class on the page; data-shows=".object-0" hides that object.
// data-hides and the switch for the keys are remembered from page to page.
function apply(box) {
  const { hides, shows } = box.dataset;
  if (hides) document.documentElement.classList.toggle(hides, !box.checked);
  if (shows) {
    for (const shape of document.querySelectorAll(shows)) {
      shape.classList.toggle("hidden", !box.checked);
    }
  }
}

document.addEventListener("change", ({ target }) => {
  if (target.type !== "checkbox") return;
  const name = target.dataset.hides ?? target.dataset.remembers;
  if (name) remembered.set(name, target.checked);
  apply(target);
});

function recall(part) {
  for (const box of part.querySelectorAll("[data-hides], [data-remembers]")) {
    box.checked = remembered.get(box.dataset.hides ?? box.dataset.remembers);
    apply(box);
  }
}
recall(document);
document.addEventListener("htmx:load", ({ target }) => recall(target));

// data-compares="id": a slider that uncovers one image over the other.
document.addEventListener("input", ({ target }) => {
  const compared = document.getElementById(target.dataset.compares);
  compared?.style.setProperty("--at", `${target.value}%`);
});

// On a narrow screen the filters are closed at first.
const filters = document.querySelector("details.filters");
if (filters && matchMedia("(max-width: 52rem)").matches) filters.open = false;
