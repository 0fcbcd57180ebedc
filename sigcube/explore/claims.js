"use strict";
const table = document.getElementById("ledger");
const rows = [...table.tBodies];
const text = document.getElementById("text");
const paper = document.getElementById("paper");
const basis = document.getElementById("basis");
const chips = [...document.querySelectorAll(".chip")];
const keys = new Map(rows.map((row) => [row, JSON.parse(row.dataset.sort)]));
const words = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));

function open(row, wanted) {
  row.classList.toggle("open", wanted);
  row.querySelector(".evidence").hidden = !wanted;
  row.querySelector(".id").setAttribute("aria-expanded", String(wanted));
}

function filter() {
  const pressed = chips.filter((chip) => chip.getAttribute("aria-pressed") === "true").map((chip) => chip.dataset.verdict);
  const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    row.hidden = (pressed.length > 0 && !pressed.includes(row.dataset.verdict))
      || (paper.value !== "" && row.dataset.paper !== paper.value)
      || (basis.value !== "" && row.dataset.basis !== basis.value)
      || !wanted.every((word) => words.get(row).includes(word));
    shown += row.hidden ? 0 : 1;
  }
  document.getElementById("shown").textContent = shown === rows.length ? `${shown} shown` : `${shown} of ${rows.length} shown`;
}

function compare(a, b) {
  // What has no number is last, whichever way the column is sorted.
  return typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
}

function sort(button) {
  const head = button.closest("th");
  const up = head.getAttribute("aria-sort") !== "ascending";
  for (const other of table.tHead.querySelectorAll("th")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const key = button.dataset.key;
  const value = (row) => keys.get(row)[key];
  const known = rows.filter((row) => value(row) !== null).sort((a, b) => (up ? 1 : -1) * compare(value(a), value(b)));
  table.append(...known, ...rows.filter((row) => value(row) === null));
}

for (const button of table.tHead.querySelectorAll("button")) button.addEventListener("click", () => sort(button));
for (const chip of chips) {
  chip.addEventListener("click", () => {
    chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
    filter();
  });
}
text.addEventListener("input", filter);
paper.addEventListener("change", filter);
basis.addEventListener("change", filter);
document.getElementById("unfold").addEventListener("click", () => rows.filter((row) => !row.hidden).forEach((row) => open(row, true)));
document.getElementById("fold").addEventListener("click", () => rows.forEach((row) => open(row, false)));
table.addEventListener("click", (event) => {
  const copy = event.target.closest(".copy");
  if (copy) {
    navigator.clipboard.writeText(copy.previousElementSibling.textContent).then(() => { copy.textContent = "copied"; });
    return;
  }
  const line = event.target.closest("tr.row");
  // To mark a number with the mouse opens nothing.
  if (line && String(getSelection()) === "") open(line.parentElement, !line.parentElement.classList.contains("open"));
});

function follow() {
  // While the page loads nothing is the target yet.
  const row = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (row && rows.includes(row)) {
    open(row, true);
    row.scrollIntoView();
  }
}
addEventListener("hashchange", follow);
follow();
