// Selection of candidates in the list, and one review for all of them in one request.
"use strict";

const chosen = {
  last: null, // the checkbox that was used last, for a range
  undo: null, // the reviews before, as the server sent them
};

const cards = () => [...document.querySelectorAll("#cards .card")];
const picks = () => cards().map((card) => card.querySelector(".pick"));
const current = () => document.activeElement.closest("#cards .card");
const byId = (id) => document.getElementById(id);

function showCount() {
  const count = picks().filter((pick) => pick.checked).length;
  byId("chosen-count").textContent = `${count} selected`;
  byId("chosen").hidden = !count;
}

function select(boxes, isOn) {
  for (const pick of boxes) pick.checked = isOn;
  showCount();
}

function selectTo(pick) {
  const all = picks();
  const [from, to] = [all.indexOf(chosen.last ?? pick), all.indexOf(pick)];
  if (from < 0) return select([pick], true);
  select(all.slice(Math.min(from, to), Math.max(from, to) + 1), pick.checked || from !== to);
}

function say(text, undo) {
  const notice = byId("reviewed");
  chosen.undo = undo;
  notice.hidden = false;
  notice.querySelector("span").textContent = text;
  notice.querySelector("button").hidden = !undo;
}

function showReview(card, mark) {
  card.querySelector(".mark")?.remove();
  const said = byId(`said-${mark}`);
  if (said) card.querySelector(".line").append(said.content.cloneNode(true));
}

// marks: { good: [1, 2], bad: [], none: [3] }
async function send(marks) {
  const form = byId("chosen").elements.form.value;
  const fields = Object.entries(marks).map(([mark, ids]) => [mark, ids.join(",")]);
  const answer = await fetch("/candidates/reviews", {
    method: "POST",
    body: new URLSearchParams([["form", form], ...fields]),
  });
  if (answer.ok) return (await answer.json()).before;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  throw new Error(page.querySelector(".trouble")?.textContent ?? `HTTP ${answer.status}`);
}

async function review(marks, tell, canUndo) {
  const count = Object.values(marks).flat().length;
  try {
    const before = await send(marks);
    for (const [mark, ids] of Object.entries(marks)) {
      for (const id of ids) {
        const pick = document.querySelector(`#cards .pick[value="${id}"]`);
        if (pick) showReview(pick.closest(".card"), mark);
      }
    }
    select(picks(), false);
    say(tell(count), canUndo ? before : null);
  } catch (error) {
    say(`Nothing was saved: ${error.message}`, null);
  }
}

function ones(count) {
  return count === 1 ? "1 candidate" : `${count} candidates`;
}

function reviewChosen(mark) {
  const found = picks().filter((pick) => pick.checked);
  const one = current();
  const ids = (found.length || !one ? found : [one.querySelector(".pick")]).map((pick) => pick.value);
  if (!ids.length) return;
  if (!found.length) go(1);
  const outcome = mark === "none" ? "not reviewed now" : `reviewed as ${mark}`;
  review({ [mark]: ids }, (count) => `${ones(count)} ${outcome}.`, true);
}

function go(step) {
  const all = cards();
  const next = current() ? all.indexOf(current()) + step : 0;
  all[Math.min(Math.max(next, 0), all.length - 1)]?.querySelector("a").focus();
}

const KEYS = {
  j: () => go(1),
  ArrowRight: () => go(1),
  k: () => go(-1),
  ArrowLeft: () => go(-1),
  s: () => current()?.querySelector(".pick").click(),
  S: () => current() && selectTo(current().querySelector(".pick")),
};

document.addEventListener("keydown", (event) => {
  if (!isShortcut(event) || !KEYS[event.key] || document.querySelector("[popover]:popover-open")) return;
  event.preventDefault();
  KEYS[event.key]();
});

document.addEventListener("click", (event) => {
  const { target, shiftKey } = event;
  if (target.matches(".pick")) {
    if (shiftKey) selectTo(target);
    chosen.last = target;
    showCount();
  } else if (target.closest("#select-all")) {
    select(picks(), true);
  } else if (target.closest("#select-none")) {
    select(picks(), false);
  } else if (target.closest("#reviewed button") && chosen.undo) {
    review(chosen.undo, (count) => `The reviews of ${ones(count)} are as before.`, false);
  }
});

document.addEventListener("submit", (event) => {
  if (event.target.id !== "chosen") return;
  event.preventDefault();
  reviewChosen(event.submitter.value);
});
