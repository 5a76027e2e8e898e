// What the pages do beyond what they are: they keep themselves up to date, act without being loaded anew, draw small
// graphs, and follow and search logs. Without this script everything is there, one reload away.
"use strict";

const root = document.documentElement;
const page = document.body.dataset;
const $ = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];

// The server's clock, as far as it is known here, in seconds.
const ahead = Number(page.now) - Date.now() / 1000;
const now = () => Date.now() / 1000 + ahead;

// An address as a script may ask for it. The browser knows the password that was typed into the address line; an address
// with one in it is refused (Fetch, 5.4).
const bare = (address) => {
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

// ---- Who has lost the daemon must not take what was for what is.

const PATIENCE = 2000; // It is away for so long while it loads its configuration anew, in milliseconds.
const SILENCE = 10; // The page of a daemon that is there hears of it every two seconds.
let heard = now(); // When the page last was what is.
let losing = 0;

const lost = () => {
  if ("lost" in root.dataset) return;
  const time = new Date((heard + Number(page.zone)) * 1000).toISOString().slice(11, 19);
  root.dataset.lost = "";
  $("#lost").hidden = false;
  $("#lost").textContent = page.wordLostSince.replace("{time}", time);
};
const lose = () => {
  shine(false);
  losing ||= setTimeout(lost, PATIENCE);
};
const hear = () => {
  heard = now();
  clearTimeout(losing);
  losing = 0;
  shine(true);
  if (!("lost" in root.dataset)) return;
  delete root.dataset.lost;
  $("#lost").hidden = true;
  $("#lost").textContent = "";
  say("");
};

// ---- Uptimes count on by themselves.

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

// ---- Buttons act in place. Where one would end many processes, the server asks back; pressed again, it is done.

const THOUGHT = 500; // A double click is no answer, in milliseconds.
const ANSWER = 10000; // After this the question is taken back.

const forget = (button) => {
  clearTimeout(button.asking);
  button.textContent = button.before.text;
  if (button.before.label) button.setAttribute("aria-label", button.before.label);
  delete button.dataset.sure;
  $("#asked").textContent = "";
};
const ask = (button, question) => {
  button.before = { text: button.textContent, label: button.getAttribute("aria-label") };
  button.textContent = question;
  // What is seen is also what the button is called.
  button.removeAttribute("aria-label");
  button.dataset.sure = "";
  $("#asked").textContent = `${question} ${page.wordAgain}`;
  button.asking = setTimeout(forget, ANSWER, button);
  return new Promise((resolve) => setTimeout(resolve, THOUGHT));
};
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") all("button[data-sure]").forEach(forget);
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form.act")) return;
  event.preventDefault();
  const button = event.submitter;
  if (button?.getAttribute("aria-disabled") === "true") return;
  const fields = new URLSearchParams(new FormData(form, button));
  const sure = button && "sure" in button.dataset;
  all("button[data-sure]").forEach(forget);
  if (sure) fields.set("sure", "1");
  button?.setAttribute("aria-disabled", "true");
  try {
    const answer = await fetch(bare(form.action), { method: "POST", body: fields, headers: { Accept: "text/plain" } });
    const words = (await answer.text()).trim() || answer.statusText;
    if (answer.status === 409 && button) {
      say("");
      await ask(button, words);
    } else {
      say(words, answer.headers.get("message-tone") ?? "warn");
    }
  } catch {
    say(page.wordUnreachable);
  } finally {
    button?.removeAttribute("aria-disabled");
  }
});

// ---- Rows are replaced where they stand, and the focus stays where it is.

// The element of the page that a new piece takes the place of.
const place = (piece) => {
  const { process, group } = piece.dataset;
  if (process) return $(`#programs tr[data-process="${CSS.escape(process)}"]`);
  if (group) return $(`#programs tr[data-group="${CSS.escape(group)}"]`);
  return piece.id ? document.getElementById(piece.id) : null;
};
const focusable = (element) => all("a, button", element);
// What takes the focus of an element that stood there. A button that cannot be pressed at the moment keeps it as well: the
// next one in the row does something else.
const heir = (piece, held, at) => {
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
  if (held) heir(piece, held, at)?.focus();
  if (piece.dataset.process) draw(piece);
};
const piece = (html) => {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
};

// ---- Processor and memory: words in their cells, and a line through the last minutes.

const POINTS = 60;
const past = new Map(); // process -> { cpu: [...], memory: [...], last: [words, words, number, number] }
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
  const seen = past.get(row.dataset.process);
  if (!seen || row.hidden) return;
  const [cpu, memory] = [$("td.cpu", row), $("td.memory", row)];
  $("span", cpu).textContent = seen.last[0];
  $("span", memory).textContent = seen.last[1];
  // A core that idles is a line at the bottom, memory that stays is one in the middle.
  line(cpu, seen.cpu, Math.max(5, ...seen.cpu) * 1.1);
  line(memory, seen.memory, Math.max(1, ...seen.memory) * 1.5);
};
const gauges = (news) => {
  for (const [process, ...last] of news) {
    const seen = past.get(process) ?? { cpu: [], memory: [] };
    past.set(process, { ...seen, last });
  }
  for (const row of all("#programs tr[data-process]")) {
    const seen = past.get(row.dataset.process);
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

// ---- Live: one stream, only while somebody looks.

// Programs have come or gone: the page itself knows best what it looks like now.
const renew = async () => {
  const answer = await fetch(bare(location.href), { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ["summary", "table", "health", "recent", "end"]) {
    const [old, next] = [document.getElementById(id), fresh.getElementById(id)];
    if (old && next) old.replaceWith(next);
  }
  // A daemon that was started anew knows another token; not all forms stand in what was replaced.
  const token = $("input[name=token]", fresh)?.value;
  for (const input of all("input[name=token]")) input.value = token ?? "";
  if (page.page === "program") {
    const next = $("#programs tr[data-process]", fresh);
    if (next) swap(next);
  }
  all("#programs tr[data-process]").forEach(draw);
  sift();
};
let sifting = 0;
const siftSoon = () => { sifting ||= requestAnimationFrame(() => { sifting = 0; sift(); }); };
let stream = null;
let called = 0; // When it was last asked for.
const listen = () => {
  if (stream || document.hidden) return;
  called = now();
  stream = new EventSource(bare(page.source));
  stream.onopen = hear;
  stream.onerror = () => {
    lose();
    // A browser gives up where it is answered, but not with a stream: behind a proxy without its server, say.
    if (stream?.readyState === EventSource.CLOSED) {
      stream = null;
      setTimeout(listen, 3000);
    }
  };
  for (const kind of ["swap", "layout", "gauges"]) stream.addEventListener(kind, hear);
  stream.addEventListener("swap", (event) => { swap(piece(event.data)); siftSoon(); });
  stream.addEventListener("layout", () => renew().catch(() => {}));
  stream.addEventListener("gauges", (event) => gauges(JSON.parse(event.data)));
};
const rest = () => {
  stream?.close();
  stream = null;
  clearTimeout(losing);
  losing = 0;
};
// A machine that is gone says nothing at all.
const listenAnew = () => {
  if (!stream || now() - Math.max(heard, called) < SILENCE) return;
  lose();
  rest();
  lost();
  listen();
};
if (page.source && page.page !== "tail") {
  listen();
  setInterval(listenAnew, 1000);
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : listen()));
}

// ---- The filter of the table.

const filter = $("#filter");
const sift = () => {
  if (!filter) return;
  const words = filter.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  // What is not seen must not be stopped with the rest.
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
// The address says what is filtered, for who loads the page anew or passes it on.
const remember = () => {
  const url = new URL(location.href);
  url.searchParams.delete("filter");
  if (filter.value.trim()) url.searchParams.set("filter", filter.value.trim());
  history.replaceState(null, "", url);
};
if (filter) {
  filter.addEventListener("input", sift);
  filter.addEventListener("change", remember);
  filter.form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-filter]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    filter.value = link.dataset.filter;
    remember();
    sift();
    $("#programs-title").scrollIntoView({ block: "nearest" });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.matches("input, textarea")) {
      event.preventDefault();
      filter.focus();
    }
  });
}

// ---- A log that is followed and searched.

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

  // As the server shows output: no escape sequences, control characters to be seen, nothing that turns a line around.
  const harmless = (text) => text
    .replace(/\x1b\[[^HfABCDRsuJKhlpm\n]*[HfABCDRsuJKhlpm]/g, "")
    .replace(/\r/g, "")
    .replace(/[\x00-\x08\x0b-\x1f]/g, (char) => String.fromCharCode(0x2400 + char.charCodeAt(0)))
    .replace(/\x7f/g, "\u2421")
    .replace(/[\u202a-\u202e\u2066-\u2069]/g, "\ufffd");

  const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const toEnd = () => { log.scrollTop = log.scrollHeight; };
  const wanted = () => box.value.toLowerCase();

  // A line with its matches marked; the number of them.
  const marked = (text, word) => {
    const piece = document.createDocumentFragment();
    const lower = text.toLowerCase();
    // Where lower case is longer than upper (İ), places would not fit: then nothing is marked.
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
    // Most of the time there is only something to append.
    if (whole && !wanted()) {
      const stay = !atEnd();
      log.append(text);
      $("#log-empty").hidden = true;
      if (!stay) toEnd();
    } else {
      show();
    }
  };
  const take = (text) => {
    if (paused) {
      waiting = (waiting + text).slice(-1024 * 1024);
    } else {
      add(text);
    }
  };

  // What is shown begins with a whole line; so must what is looked for in it. A first part that may have been cut begins
  // inside a line, or inside an escape sequence, which then looks like text.
  const KIBIBYTE = 1024;
  const whole = (part) => {
    const rest = part.slice(part.indexOf("\n") + 1);
    return new TextEncoder().encode(part).length >= KIBIBYTE && rest ? rest : part;
  };
  // The stream begins with the last kibibyte, which is most likely here already.
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
        const answer = await fetch(bare(page.source), { cache: "no-store" });
        if (!answer.ok) throw new Error(answer.statusText);
        hear();
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        let begun = false;
        for (let part = await reader.read(); !part.done; part = await reader.read()) {
          // A character that was cut in two stands at the front of the first part.
          const text = begun ? part.value : whole(part.value).replace(/^\ufffd{1,3}/, "");
          heard = now();
          if (text === "==> File truncated <==\n") {
            lines = [""];
            waiting = "";
            show();
            say(page.wordTruncated);
          } else {
            take(begun ? harmless(text) : unknownPart(harmless(text)));
          }
          begun = true;
        }
      } catch { /* It is tried again. */ }
      lose();
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
