// Live updates, buttons without reloading, small graphs, and following and searching of logs. Without this script the
// pages are complete and are reloaded by hand.
"use strict";

const root = document.documentElement;
const page = document.body.dataset;
const $ = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];

// The server's time in seconds, estimated.
const ahead = Number(page.now) - Date.now() / 1000;
const now = () => Date.now() / 1000 + ahead;

// A URL without credentials. The browser remembers those from the address bar, but fetch() refuses a URL that contains
// them (Fetch, 5.4).
const withoutCredentials = (address) => {
  const url = new URL(address, document.baseURI);
  url.username = url.password = "";
  return url.href;
};

const light = $("#live");
const shine = (on) => {
  root.dataset.live = on ? "on" : "off";
  light.title = on ? page.wordLive : page.wordLost;
};
const say = (words, tone = "warn") => {
  const message = $("#message");
  message.textContent = words;
  message.className = tone;
};

// ---- A page that has lost its connection says so.

const PATIENCE = 2000; // A restart of the daemon takes less than this, in milliseconds.
const SILENCE = 10; // A live page gets a message every two seconds, in seconds.
let lastMessage = now(); // When the last message came.
let lossTimer = 0;

const showLost = () => {
  if ("lost" in root.dataset) return;
  const time = new Date((lastMessage + Number(page.zone)) * 1000).toISOString().slice(11, 19);
  root.dataset.lost = "";
  $("#lost").hidden = false;
  $("#lost").textContent = page.wordLostSince.replace("{time}", time);
};
const connectionLost = () => {
  shine(false);
  lossTimer ||= setTimeout(showLost, PATIENCE);
};
const markAlive = () => {
  lastMessage = now();
  clearTimeout(lossTimer);
  lossTimer = 0;
  shine(true);
  if (!("lost" in root.dataset)) return;
  delete root.dataset.lost;
  $("#lost").hidden = true;
  $("#lost").textContent = "";
  say("");
};

// ---- Uptimes are counted up locally.

const uptime = (seconds) => {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const clock = `${Math.floor(whole / 3600) % 24}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return whole < 86400 ? clock : `${Math.floor(whole / 86400)} ${page.day} ${clock}`;
};
const tick = () => {
  if ("lost" in root.dataset) return;
  for (const time of all("time[data-since]")) {
    const text = uptime(now() - time.dataset.since);
    if (time.textContent !== text) time.textContent = text;
  }
};
if (Number(page.now) > 0) setInterval(() => document.hidden || tick(), 1000);

// ---- Buttons act without reloading. For an action on many processes the server asks for a confirmation (status 409).

const THOUGHT = 500; // A second click within this time is a double click, not a confirmation, in milliseconds.
const ANSWER = 10000; // The question disappears after this, in milliseconds.

const dismissQuestion = (button) => {
  clearTimeout(button.asking);
  button.textContent = button.before.text;
  if (button.before.label) button.setAttribute("aria-label", button.before.label);
  delete button.dataset.sure;
  $("#asked").textContent = "";
};
const showQuestion = (button, question) => {
  button.before = { text: button.textContent, label: button.getAttribute("aria-label") };
  button.textContent = question;
  // The accessible name is the visible text.
  button.removeAttribute("aria-label");
  button.dataset.sure = "";
  $("#asked").textContent = `${question} ${page.wordAgain}`;
  button.asking = setTimeout(dismissQuestion, ANSWER, button);
  return new Promise((resolve) => setTimeout(resolve, THOUGHT));
};
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") all("button[data-sure]").forEach(dismissQuestion);
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form.act")) return;
  event.preventDefault();
  const button = event.submitter;
  if (button?.getAttribute("aria-disabled") === "true") return;
  const fields = new URLSearchParams(new FormData(form, button));
  const sure = button && "sure" in button.dataset;
  all("button[data-sure]").forEach(dismissQuestion);
  if (sure) fields.set("sure", "1");
  button?.setAttribute("aria-disabled", "true");
  try {
    const answer = await fetch(withoutCredentials(form.action), { method: "POST", body: fields, headers: { Accept: "text/plain" } });
    const words = (await answer.text()).trim() || answer.statusText;
    if (answer.status === 409 && button) {
      say("");
      await showQuestion(button, words);
    } else {
      say(words, answer.headers.get("message-tone") ?? "warn");
    }
  } catch {
    say(page.wordUnreachable);
  } finally {
    button?.removeAttribute("aria-disabled");
  }
});

// ---- Rows are replaced in place and keep the focus.

// The element that a new piece replaces.
const place = (piece) => {
  const { process, group } = piece.dataset;
  if (process) return $(`#programs tr[data-process="${CSS.escape(process)}"]`);
  if (group) return $(`#programs tr[data-group="${CSS.escape(group)}"]`);
  return piece.id ? document.getElementById(piece.id) : null;
};
const focusable = (element) => all("a, button", element);
// The element that gets the focus of one that was replaced. A button that is disabled now keeps the focus as well: the
// next one in the row does something else.
const focusHeir = (piece, held, at) => {
  const next = (held.value && $(`button[value="${held.value}"]:not(:disabled)`, piece)) || focusable(piece)[at] || $("a, button", piece);
  if (next?.disabled) {
    next.disabled = false;
    next.setAttribute("aria-disabled", "true");
  }
  return next;
};
const swap = (piece) => {
  const old = piece && place(piece);
  if (!old) return;
  const held = old.contains(document.activeElement) ? document.activeElement : null;
  const at = held ? focusable(old).indexOf(held) : -1;
  old.replaceWith(piece);
  if (held) focusHeir(piece, held, at)?.focus();
  if (piece.dataset.process) draw(piece);
};
const piece = (html) => {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
};

// ---- CPU and memory: figures in their cells, and a line through the last minutes.

const POINTS = 60;
const usageHistory = new Map(); // process -> { cpu: [...], memory: [...], last: [words, words, number, number] }
const SVG = "http://www.w3.org/2000/svg";

const line = (cell, values, top) => {
  let picture = $("svg", cell);
  if (values.length < 2) {
    picture?.remove();
    return;
  }
  if (!picture) {
    picture = document.createElementNS(SVG, "svg");
    picture.setAttribute("class", "spark");
    picture.setAttribute("viewBox", `0 0 ${POINTS - 1} 20`);
    picture.setAttribute("preserveAspectRatio", "none");
    picture.setAttribute("aria-hidden", "true");
    picture.append(document.createElementNS(SVG, "path"), document.createElementNS(SVG, "polyline"));
    cell.prepend(picture);
  }
  const from = POINTS - values.length;
  const points = values.map((value, at) => `${from + at},${(19 - 18 * value / top).toFixed(1)}`);
  picture.lastChild.setAttribute("points", points.join(" "));
  picture.firstChild.setAttribute("d", `M${from},20L${points.join("L")}L${POINTS - 1},20z`);
};
const draw = (row) => {
  const seen = usageHistory.get(row.dataset.process);
  if (!seen || row.hidden) return;
  const [cpu, memory] = [$("td.cpu", row), $("td.memory", row)];
  $("span", cpu).textContent = seen.last[0];
  $("span", memory).textContent = seen.last[1];
  // An idle core is a line at the bottom, constant memory one in the middle.
  line(cpu, seen.cpu, Math.max(5, ...seen.cpu) * 1.1);
  line(memory, seen.memory, Math.max(1, ...seen.memory) * 1.5);
};
const updateUsage = (news) => {
  for (const [process, ...last] of news) {
    const seen = usageHistory.get(process) ?? { cpu: [], memory: [] };
    usageHistory.set(process, { ...seen, last });
  }
  for (const row of all("#programs tr[data-process]")) {
    const seen = usageHistory.get(row.dataset.process);
    if (!seen) continue;
    if (seen.last[3] === 0) {
      seen.cpu = [];
      seen.memory = [];
    } else {
      seen.cpu.push(seen.last[2]);
      seen.memory.push(seen.last[3]);
      if (seen.cpu.length > POINTS) { seen.cpu.shift(); seen.memory.shift(); }
    }
    draw(row);
  }
};

// ---- Live updates: one stream, only while the page is visible.

// Programs have come or gone: loads the page again and takes its sections.
const reloadSections = async () => {
  const answer = await fetch(withoutCredentials(location.href), { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ["summary", "table", "health", "recent", "end"]) {
    const [old, next] = [document.getElementById(id), fresh.getElementById(id)];
    if (old && next) old.replaceWith(next);
  }
  // A restarted daemon has another CSRF token, and not all forms are in the replaced sections.
  const token = $("input[name=token]", fresh)?.value;
  for (const input of all("input[name=token]")) input.value = token ?? "";
  if (page.page === "program") {
    const next = $("#programs tr[data-process]", fresh);
    if (next) swap(next);
  }
  all("#programs tr[data-process]").forEach(draw);
  applyFilter();
};
let filterPending = 0;
const applyFilterSoon = () => { filterPending ||= requestAnimationFrame(() => { filterPending = 0; applyFilter(); }); };
let stream = null;
let requestedAt = 0; // When the stream was last requested.
const openStream = () => {
  if (stream || document.hidden) return;
  requestedAt = now();
  stream = new EventSource(withoutCredentials(page.source));
  stream.onopen = markAlive;
  stream.onerror = () => {
    connectionLost();
    // A browser gives up if the response is no stream, such as an error page of a reverse proxy.
    if (stream?.readyState === EventSource.CLOSED) {
      stream = null;
      setTimeout(openStream, 3000);
    }
  };
  for (const kind of ["swap", "layout", "gauges"]) stream.addEventListener(kind, markAlive);
  stream.addEventListener("swap", (event) => { swap(piece(event.data)); applyFilterSoon(); });
  stream.addEventListener("layout", () => reloadSections().catch(() => {}));
  stream.addEventListener("gauges", (event) => updateUsage(JSON.parse(event.data)));
};
const closeStream = () => {
  stream?.close();
  stream = null;
  clearTimeout(lossTimer);
  lossTimer = 0;
};
// A dead machine closes no connection.
const reopenIfSilent = () => {
  if (!stream || now() - Math.max(lastMessage, requestedAt) < SILENCE) return;
  connectionLost();
  closeStream();
  showLost();
  openStream();
};
if (page.source && page.page !== "tail") {
  openStream();
  setInterval(reopenIfSilent, 1000);
  document.addEventListener("visibilitychange", () => (document.hidden ? closeStream() : openStream()));
}

// ---- The filter of the table.

const filter = $("#filter");
const applyFilter = () => {
  if (!filter) return;
  const words = filter.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  // "All" buttons are hidden while a filter hides programs.
  root.toggleAttribute("data-filtered", words.length > 0);
  let some = false;
  for (const body of all("#programs tbody")) {
    let found = false;
    for (const row of all("tr[data-process]", body)) {
      const { process, state, end = "" } = row.dataset;
      const text = `${process} ${state} ${$(".badge", row).textContent} ${end}`.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      found ||= !row.hidden;
    }
    body.hidden = !found;
    some ||= found;
  }
  const none = $("#no-match");
  if (none) none.hidden = some;
};
// Keeps the filter in the URL, for reloading and sharing.
const storeFilterInUrl = () => {
  const url = new URL(location.href);
  url.searchParams.delete("filter");
  if (filter.value.trim()) url.searchParams.set("filter", filter.value.trim());
  history.replaceState(null, "", url);
};
if (filter) {
  filter.addEventListener("input", applyFilter);
  filter.addEventListener("change", storeFilterInUrl);
  filter.form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-filter]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    filter.value = link.dataset.filter;
    storeFilterInUrl();
    applyFilter();
    $("#programs-title").scrollIntoView({ block: "nearest" });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.matches("input, textarea")) {
      event.preventDefault();
      filter.focus();
    }
  });
}

// ---- Following and searching a log.

const LINES = 5000;
const log = $("#log");
if (log && page.page === "tail") {
  const box = $("#search");
  const found = $("#found");
  const pause = $("#pause");
  $(".finder").hidden = false;

  let lines = log.textContent.split("\n");
  let waiting = "";
  let paused = false;

  // As the server does it: no escape sequences, visible control characters, no bidirectional overrides.
  const printable = (text) => text
    .replace(/\x1b\[[^HfABCDRsuJKhlpm\n]*[HfABCDRsuJKhlpm]/g, "")
    .replace(/\r/g, "")
    .replace(/[\x00-\x08\x0b-\x1f]/g, (char) => String.fromCharCode(0x2400 + char.charCodeAt(0)))
    .replace(/\x7f/g, "\u2421")
    .replace(/[\u202a-\u202e\u2066-\u2069]/g, "\ufffd");

  const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const toEnd = () => { log.scrollTop = log.scrollHeight; };
  const wanted = () => box.value.toLowerCase();

  // A line with its matches marked.
  const marked = (text, word) => {
    const piece = document.createDocumentFragment();
    const lower = text.toLowerCase();
    // If the lower-case text is longer (İ), the positions do not match: nothing is marked.
    const fits = lower.length === text.length;
    let [from, at] = [0, fits ? lower.indexOf(word) : -1];
    for (; at >= 0; at = lower.indexOf(word, from)) {
      const mark = document.createElement("mark");
      mark.textContent = text.slice(at, at + word.length);
      piece.append(text.slice(from, at), mark);
      from = at + word.length;
    }
    piece.append(text.slice(from));
    return piece;
  };
  const show = () => {
    const stay = !atEnd();
    const word = wanted();
    if (!word) {
      log.textContent = lines.join("\n");
      found.textContent = "";
    } else {
      const matching = lines.filter((text) => text.toLowerCase().includes(word));
      const piece = document.createDocumentFragment();
      matching.forEach((text, at) => piece.append(at ? "\n" : "", marked(text, word)));
      log.replaceChildren(piece);
      found.textContent = `${matching.length} / ${lines.length}`;
    }
    $("#log-empty").hidden = lines.length > 1 || lines[0] !== "";
    if (!stay) toEnd();
  };
  const add = (text) => {
    if (!text) return;
    const fresh = text.split("\n");
    const whole = lines.length + fresh.length - 1 <= LINES;
    lines[lines.length - 1] += fresh[0];
    for (const next of fresh.slice(1)) lines.push(next);
    if (lines.length > LINES) lines = lines.slice(-LINES);
    // Usually text is only appended.
    if (whole && !wanted()) {
      const stay = !atEnd();
      log.append(text);
      $("#log-empty").hidden = true;
      if (!stay) toEnd();
    } else {
      show();
    }
  };
  const receive = (text) => {
    if (paused) {
      waiting = (waiting + text).slice(-1024 * 1024);
    } else {
      add(text);
    }
  };

  // The shown text begins with a whole line, so the text to be found in it must too. A first part that may have been cut
  // begins inside a line, or inside an escape sequence, which then looks like text.
  const KIBIBYTE = 1024;
  const whole = (part) => {
    const rest = part.slice(part.indexOf("\n") + 1);
    return new TextEncoder().encode(part).length >= KIBIBYTE && rest ? rest : part;
  };
  // The stream begins with the last kibibyte of the log, which is usually shown already.
  const unknownPart = (first) => {
    const known = lines.join("\n");
    for (let length = Math.min(first.length, known.length); length > 0; length--) {
      if (known.endsWith(first.slice(0, length))) return first.slice(length);
    }
    return known ? `\n⋯\n${first}` : first;
  };
  const follow = async () => {
    for (;;) {
      try {
        const answer = await fetch(withoutCredentials(page.source), { cache: "no-store" });
        if (!answer.ok) throw new Error(answer.statusText);
        markAlive();
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        let begun = false;
        for (let part = await reader.read(); !part.done; part = await reader.read()) {
          // A character that was cut in two is at the beginning of the first part.
          const text = begun ? part.value : whole(part.value).replace(/^\ufffd{1,3}/, "");
          lastMessage = now();
          if (text === "==> File truncated <==\n") {
            lines = [""];
            waiting = "";
            show();
            say(page.wordTruncated);
          } else {
            receive(begun ? printable(text) : unknownPart(printable(text)));
          }
          begun = true;
        }
      } catch { /* It is tried again. */ }
      connectionLost();
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  };

  box.addEventListener("input", show);
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? page.wordGoOn : page.wordPause;
    pause.setAttribute("aria-pressed", String(paused));
    if (!paused) {
      add(waiting);
      waiting = "";
      toEnd();
    }
  });
  toEnd();
  if (page.source) follow();
}
