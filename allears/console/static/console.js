// Keeps pages that ask for it fresh. Everything works without this file.
"use strict";
const SECONDS = 15;
const main = document.querySelector("main[data-refresh]");
function busy() {
  const active = document.activeElement;
  return document.hidden || main.querySelector("details[open]") || (active && main.contains(active) && active !== main)
    || String(getSelection());
}
async function refresh() {
  if (busy()) return;
  const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("main[data-refresh]");
  if (fresh && !busy()) main.replaceChildren(...fresh.childNodes);
}
if (main) setInterval(() => refresh().catch(() => {}), SECONDS * 1000);
for (const form of document.querySelectorAll("form[data-instant]")) {
  form.addEventListener("change", () => form.requestSubmit());
}
