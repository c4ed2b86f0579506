// The page works without this. It adds: a list of chosen files, one submission at a time, a form that stays as it
// was when the network fails, and a switch of language that takes along what was typed.
"use strict";

document.documentElement.classList.add("js");

const form = document.getElementById("form");
if (form) start(form);
else finish();

document.getElementById("print")?.addEventListener("click", () => window.print());
document.getElementById("print")?.removeAttribute("hidden");

function start(form) {
  const files = document.getElementById("files");
  files?.addEventListener("change", () => list(files));
  if (files) list(files);
  restore(form);
  document.getElementById("switch")?.addEventListener("click", () => keep(form));
  document.getElementById("faults")?.focus();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (form.dataset.busy) return;
    const fault = tooBig(files) ? form.dataset.tooBig : "";
    if (fault) say([fault]);
    else send(form);
  });
}

function keep(form) {
  const typed = [...new FormData(form)].filter(([, value]) => typeof value === "string");
  sessionStorage.setItem("typed", JSON.stringify(typed));
}

function restore(form) {
  const typed = JSON.parse(sessionStorage.getItem("typed") ?? "[]");
  sessionStorage.removeItem("typed");
  for (const [name, value] of typed) if (form.elements[name]) form.elements[name].value = value;
}

function tooBig(files) {
  const total = [...(files?.files ?? [])].reduce((sum, file) => sum + file.size, 0);
  return total > Number(form.dataset.maxBytes);
}

function list(files) {
  const chosen = document.getElementById("chosen");
  chosen.replaceChildren(...[...files.files].map((file, at) => line(files, file, at)));
}

function line(files, file, at) {
  const item = document.createElement("li");
  const name = document.createElement("span");
  const size = document.createElement("span");
  const remove = document.createElement("button");
  name.textContent = file.name;
  size.textContent = file.size < 1048576 ? `${Math.ceil(file.size / 1024)} KB` : `${(file.size / 1048576).toFixed(1)} MB`;
  size.className = "size";
  remove.type = "button";
  remove.textContent = form.dataset.remove;
  remove.setAttribute("aria-label", `${form.dataset.remove} ${file.name}`);
  remove.addEventListener("click", () => {
    const kept = new DataTransfer();
    [...files.files].forEach((other, place) => place !== at && kept.items.add(other));
    files.files = kept.files;
    list(files);
    files.focus();
  });
  item.append(name, size, remove);
  return item;
}

async function send(form) {
  busy(form, true);
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { Accept: "text/html" } });
    read(answer.ok, new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    say([form.dataset.failed]);
  } finally {
    busy(form, false);
  }
}

function read(ok, page) {
  if (ok && page.getElementById("done")) return replace(page);
  const faults = [...page.querySelectorAll("#faults a")];
  say(faults.length ? faults.map((fault) => fault.textContent) : [form.dataset.failed]);
  const wrong = faults.map((fault) => fault.dataset.field);
  for (const control of form.elements) control.toggleAttribute("aria-invalid", false);
  wrong.forEach((name) => document.getElementById(name)?.setAttribute("aria-invalid", "true"));
}

function replace(page) {
  document.title = page.title;
  document.body.className = page.body.className;
  document.body.replaceChildren(...page.body.childNodes);
  window.scrollTo(0, 0);
  finish();
  document.getElementById("done").focus();
}

function say(lines) {
  const notice = document.createElement("div");
  const heading = document.createElement("h2");
  const items = document.createElement("ul");
  notice.className = "notice";
  notice.tabIndex = -1;
  heading.textContent = form.dataset.check;
  items.append(...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })));
  notice.append(heading, items);
  document.getElementById("notice").replaceChildren(notice);
  notice.focus();
}

function busy(form, is) {
  const button = document.getElementById("submit");
  form.dataset.busy = is ? "yes" : "";
  if (!button) return;
  button.dataset.label ??= button.textContent;
  button.disabled = is;
  button.textContent = is ? form.dataset.sending : button.dataset.label;
}

function finish() {
  const copy = document.getElementById("copy");
  if (!copy || !navigator.clipboard) return;
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById("reference").textContent);
    copy.textContent = copy.dataset.copied;
  });
}
