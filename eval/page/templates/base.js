"use strict";
// Tables of class "sortable": a click on a heading sorts the body by that column, a second click the other way round. A cell sorts by its
// data-value where it has one (a number), else by its text; cells without either stay at the end.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const text = heading.textContent.trim();
    if (!text || heading.classList.contains("drawn")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const ascending = heading.getAttribute("aria-sort") !== "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      sortRows(table.tBodies[0], column, ascending ? 1 : -1);
    });
  });
}

function sortRows(body, column, direction) {
  const keyed = [...body.rows].map((row) => ({ row, key: sortKey(row.cells[column]) }));
  keyed.sort((a, b) => (a.key === null || b.key === null ? (a.key === null) - (b.key === null) : direction * compareKeys(a.key, b.key)));
  body.append(...keyed.map((one) => one.row));
}

function sortKey(cell) {
  const value = cell.dataset.value;
  if (value !== undefined) return value === "" ? null : Number(value);
  return cell.textContent.trim() || null;
}

function compareKeys(a, b) {
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}
