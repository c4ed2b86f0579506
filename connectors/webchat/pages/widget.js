// The chat on somebody else's page. What is written is kept in the page's own storage until it is known to be stored:
// it survives reloads and dead networks, and sent twice it is still one message, for its id is the same.
const script = document.currentScript ?? document.querySelector('script[src*="/widget.js"]');
const base = script.src.replace(/widget\.js.*$/, "");
const host = document.createElement("div");
const options = Object.assign({}, script.dataset, window.allearsChat);
const language = [options.lang, document.documentElement.lang, ...(navigator.languages ?? []), SETUP.language]
  .map((tag) => String(tag).slice(0, 2).toLowerCase())
  .find((tag) => tag in SETUP.words);
const words = SETUP.words[language];
const shelf = openShelf(`allears:${SETUP.name}:`);
const files = new Map();
const items = new Map();
const lines = new Map();
const at = {};
const CLIP = "M21 11l-9 9a5 5 0 0 1-7-7l9-9a3.5 3.5 0 0 1 5 5l-9 9a2 2 0 0 1-3-3l8-8";
let session = shelf.get("session") ?? newSession();
let user = options.user ?? {};
let pause = 0;
let timer = 0;
let isSending = false;

function openShelf(prefix) {
  try {
    localStorage.setItem(prefix, "1");
    localStorage.removeItem(prefix);
    return {
      get: (key) => JSON.parse(localStorage.getItem(prefix + key)),
      set: (key, value) => localStorage.setItem(prefix + key, JSON.stringify(value)),
      drop: (key) => localStorage.removeItem(prefix + key),
      keys: () => Object.keys(localStorage).filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length)),
    };
  } catch {
    const kept = new Map();
    return { get: (key) => kept.get(key), set: (key, value) => kept.set(key, value), drop: (key) => kept.delete(key), keys: () => [...kept.keys()] };
  }
}

function random() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function newSession() {
  const made = { token: random(), chat: random(), user: "" };
  keep("session", made);
  return made;
}

function keep(key, value) {
  try {
    shelf.set(key, value);
  } catch {
    // The storage is full: what is in memory is sent all the same.
  }
}

// Every message under a key of its own: two tabs never overwrite each other's.
function save(item) {
  items.set(item.id, item);
  keep(`item:${item.id}`, item);
}

function load() {
  for (const key of shelf.keys().filter((key) => key.startsWith("item:"))) {
    const item = shelf.get(key);
    if (item) items.set(item.id, item);
  }
}

function forget(isDone) {
  for (const item of [...items.values()].filter(isDone)) {
    items.delete(item.id);
    shelf.drop(`item:${item.id}`);
    if (item.file) drop(item.id);
  }
}

const inOrder = () => [...items.values()].sort((one, other) => (one.at < other.at ? -1 : 1));
const isShown = (item) => item.token === session.token && item.chat === session.chat;

// Files lie in the browser's database, which unlike the storage takes them whole.
function inVault(mode, act) {
  return new Promise((done, failed) => {
    const open = indexedDB.open(`allears:${SETUP.name}`);
    open.onupgradeneeded = () => open.result.createObjectStore("files");
    open.onerror = failed;
    open.onsuccess = () => {
      const asked = act(open.result.transaction("files", mode).objectStore("files"));
      asked.onerror = failed;
      asked.onsuccess = () => (open.result.close(), done(asked.result));
    };
  });
}

const lay = (id, file) => (files.set(id, file), inVault("readwrite", (store) => store.put(file, id)).catch(() => {}));
const drop = (id) => (files.delete(id), inVault("readwrite", (store) => store.delete(id)).catch(() => {}));
const find = async (id) => files.get(id) ?? (await inVault("readonly", (store) => store.get(id)).catch(() => undefined));

// Sending

function say(facts) {
  const { name, phone, email } = user;
  const contact = Object.fromEntries(Object.entries({ name, phone, email }).filter(([, value]) => value));
  const { order, product } = options;
  const post = facts.text && { text: facts.text, order, product, contact, ...facts.given };
  save({ id: random(), at: new Date().toISOString(), token: session.token, chat: session.chat, state: "waiting", ...facts, post });
  show();
  at.log.scrollTop = at.log.scrollHeight;
  send();
}

async function send() {
  if (isSending) return;
  isSending = true;
  clearTimeout(timer);
  try {
    for (let item; (item = inOrder().find((one) => one.state === "waiting")); ) {
      await deliver(item);
      pause = 0;
      show();
    }
  } catch {
    pause = Math.min(60, pause * 2 || 2);
    timer = setTimeout(send, pause * 1000);
  }
  isSending = false;
  show();
}

// Throws where the same may be sent again.
async function deliver(item) {
  const file = item.file && (await find(item.id));
  if (item.file && !file) return save({ ...item, state: "failed" });
  const answer = await request(item, file);
  if (answer.status === 408 || answer.status === 429 || answer.status > 499) throw answer;
  const said = answer.ok ? await answer.json() : {};
  save({ ...item, post: undefined, ...(answer.ok ? { state: "sent", reference: said.reference } : { state: "failed", post: item.post }) });
  if (answer.ok && file) drop(item.id);
}

function request(item, file) {
  const headers = { Authorization: `Visitor ${item.token}` };
  if (user.id && item.token === session.token) {
    headers["X-User"] = encodeURIComponent(user.id);
    headers["X-User-Signature"] = user.signature ?? "";
  }
  const signal = AbortSignal.timeout?.(file ? 180000 : 30000);
  if (file) {
    const query = new URLSearchParams({ conversation: item.chat, name: item.file, said_at: item.at });
    headers["Content-Type"] = file.type || "application/octet-stream";
    return fetch(`${base}files/${item.id}?${query}`, { method: "PUT", headers, body: file, signal });
  }
  headers["Content-Type"] = "application/json";
  const body = JSON.stringify({ id: item.id, conversation: item.chat, said_at: item.at, ...item.post });
  return fetch(`${base}messages`, { method: "POST", headers, body, signal });
}

// Showing

function make(tag, facts = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(facts)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && name !== "form") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function icon(...paths) {
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawn.setAttribute("viewBox", "0 0 24 24");
  drawn.setAttribute("aria-hidden", "true");
  for (const path of paths) drawn.appendChild(document.createElementNS(drawn.namespaceURI, "path")).setAttribute("d", path);
  return drawn;
}

const button = (label, picture, onclick) => make("button", { type: "button", className: "icon", title: label, "aria-label": label, onclick }, picture);

function build() {
  const root = host.attachShadow({ mode: "open" });
  const chosen = make("input", { type: "file", multiple: true, hidden: true, onchange: () => (attach(chosen.files), (chosen.value = "")) });
  at.launch = make("button", { type: "button", className: "launch", "aria-expanded": "false", onclick: open }, icon("M21 12a8 8 0 0 1-11.5 7.2L4 21l1.6-5A8 8 0 1 1 21 12z"), words.launch);
  at.text = make("textarea", { rows: 1, maxLength: SETUP.maxText, placeholder: words.write, "aria-label": words.write, oninput: grow, onkeydown: type, onpaste: (event) => attach(event.clipboardData.files) });
  at.text.value = shelf.get("draft") ?? "";
  at.again = button(words.again, icon("M12 5v14", "M5 12h14"), again);
  at.list = make("ol");
  at.number = make("output");
  at.copy = make("button", { type: "button", className: "plain", onclick: copy }, words.copy);
  at.copy.hidden = !navigator.clipboard;
  at.card = make("div", { className: "card" }, make("p", { className: "small" }, words.reference), make("div", { className: "number" }, at.number, at.copy), make("p", { className: "small" }, words.keep));
  at.contact = contactForm();
  at.log = make("div", { className: "log", role: "log", tabIndex: 0, "aria-label": SETUP.heading[language] }, make("p", { className: "intro" }, SETUP.intro[language]), at.list, at.card, at.contact);
  const writing = make("form", { className: "write", onsubmit: (event) => (event.preventDefault(), submit()) }, at.text, make("button", { className: "go", title: words.send, "aria-label": words.send }, icon("M12 20V5", "M5 12l7-7 7 7")));
  if (SETUP.maxFile) writing.prepend(chosen, button(words.attach, icon(CLIP), () => chosen.click()));
  at.panel = make("section", { className: "panel", role: "dialog", "aria-label": SETUP.heading[language], hidden: true, lang: words.tag, onkeydown: (event) => event.key === "Escape" && close() }, make("header", {}, make("h2", {}, SETUP.heading[language]), at.again, button(words.close, icon("M6 6l12 12", "M18 6L6 18"), close)), at.log, writing);
  at.launch.lang = words.tag;
  if ((options.position ?? SETUP.position) === "left") [at.launch, at.panel].forEach((one) => one.classList.add("left"));
  try {
    const style = new CSSStyleSheet();
    style.replaceSync(STYLE);
    root.adoptedStyleSheets = [style];
  } catch {
    root.append(make("style", {}, STYLE));
  }
  root.append(at.launch, at.panel);
  document.body.append(host);
}

function contactForm() {
  const field = (name, type, complete) => make("label", {}, words[name], make("input", { name, type, maxLength: 200, autocomplete: complete }));
  const fields = [field("name", "text", "name"), field("phone", "tel", "tel"), field("email", "email", "email"), field("order", "text", "off")];
  const more = SETUP.privacy ? [make("a", { href: SETUP.privacy, target: "_blank", rel: "noopener" }, words.privacy)] : [];
  return make("form", { className: "contact", noValidate: true, onsubmit: leave }, make("p", {}, words.contact), ...fields, make("button", { className: "go" }, words.leave), ...more);
}

function leave(event) {
  event.preventDefault();
  const given = [...new FormData(at.contact)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value);
  if (!given.length) return;
  const { order, ...contact } = Object.fromEntries(given);
  const text = given.map(([name, value]) => `${words[name]}${words.colon}${value}`).join("\n");
  say({ text, given: order ? { contact, order } : { contact } });
  at.text.focus();
}

function submit() {
  const text = at.text.value.trim();
  if (text) say({ text });
  at.text.value = "";
  grow();
}

function attach(list) {
  for (const file of SETUP.maxFile ? list : []) {
    const facts = { file: file.name || words.file, size: file.size };
    const id = random();
    if (!file.size || file.size > SETUP.maxFile) say({ ...facts, id, state: "large" });
    else lay(id, file).then(() => say({ ...facts, id }));
  }
}

function type(event) {
  const isTouched = matchMedia("(pointer: coarse)").matches;
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229 || isTouched) return;
  event.preventDefault();
  submit();
}

function grow() {
  keep("draft", at.text.value);
  at.text.style.height = "auto";
  at.text.style.height = `${at.text.scrollHeight + 2}px`;
}

function show() {
  const isAtEnd = at.log.scrollHeight - at.log.scrollTop - at.log.clientHeight < 60;
  const shown = inOrder().filter(isShown);
  for (const [id, line] of lines) if (!shown.some((item) => item.id === id)) line.remove(), lines.delete(id);
  for (const item of shown) showLine(item);
  const reference = shown.map((item) => item.reference).filter(Boolean).pop();
  if (at.number.textContent !== (reference ?? "")) at.number.textContent = reference ?? "";
  at.card.hidden = !reference;
  at.again.hidden = !reference;
  at.contact.hidden = !shown.length || !!(user.phone || user.email) || shown.some((item) => item.given);
  if (isAtEnd) at.log.scrollTop = at.log.scrollHeight;
}

function showLine(item) {
  if (!lines.has(item.id)) {
    const line = make("li", {}, make("div", { className: "said" }, ...(item.file ? [icon(CLIP), item.file] : [item.text])), make("div"));
    lines.set(item.id, line);
    at.list.append(line);
  }
  const state = item.state === "waiting" && pause ? "later" : item.state;
  const line = lines.get(item.id).lastChild;
  if (line.dataset.state === state) return;
  line.dataset.state = state;
  line.className = state === "failed" || state === "large" ? "state wrong" : "state";
  line.replaceChildren(words[state].replace("{size}", Math.floor(SETUP.maxFile / 1048576)));
  if (state === "failed") line.append(make("button", { type: "button", onclick: () => (save({ ...items.get(item.id), state: "waiting" }), show(), send()) }, words.retry));
}

async function copy() {
  await navigator.clipboard.writeText(at.number.textContent);
  at.copy.textContent = words.copied;
}

function again() {
  forget((item) => isShown(item) && item.state !== "waiting");
  session = { ...session, chat: random() };
  keep("session", session);
  at.copy.textContent = words.copy;
  show();
  at.text.focus();
}

// As the page is: a dark panel on a light page would look as if it were not part of it.
function paint() {
  const of = (element) => getComputedStyle(element);
  const ground = [document.body, document.documentElement].map((one) => of(one).backgroundColor.match(/^rgba?\((\d+), (\d+), (\d+)(?:, 0?(\.\d+|0))?/)).find((found) => found && found[4] !== "0");
  const isDark = ground ? ground[1] * 0.3 + ground[2] * 0.6 + ground[3] * 0.1 < 110 : /dark/.test(of(document.documentElement).colorScheme) && matchMedia("(prefers-color-scheme: dark)").matches;
  host.dataset.theme = options.theme ?? (isDark ? "dark" : "light");
}

function open() {
  paint();
  at.panel.hidden = false;
  at.launch.hidden = true;
  grow();
  at.log.scrollTop = at.log.scrollHeight;
  at.text.focus();
}

function close() {
  at.panel.hidden = true;
  at.launch.hidden = false;
  at.launch.focus();
}

function identify(who) {
  user = who ?? {};
  if (session.user && session.user !== String(user.id ?? session.user)) reset();
  if (user.id) keep("session", (session = { ...session, user: String(user.id) }));
  show();
}

// Somebody else may sit here now. What has not been sent yet still goes out, as whoever wrote it.
function reset() {
  forget((item) => item.state !== "waiting");
  session = newSession();
  at.text.value = "";
  grow();
  show();
}

function start() {
  if (document.getElementById("allears-chat")) return;
  host.id = "allears-chat";
  load();
  const month = new Date(Date.now() - 30 * 86400000).toISOString();
  forget((item) => item.state !== "waiting" && item.at < month);
  build();
  paint();
  identify(user);
  window.allearsChat = Object.assign({}, window.allearsChat, { open, close, identify, reset });
  window.addEventListener("online", send);
  window.addEventListener("storage", () => ((session = shelf.get("session") ?? session), load(), show()));
  document.addEventListener("visibilitychange", () => document.hidden || send());
  if (options.open !== undefined) open();
  send();
}

if (document.body) start();
else document.addEventListener("DOMContentLoaded", start);
