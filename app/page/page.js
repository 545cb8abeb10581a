"use strict";

const at = (id) => document.getElementById(id);
const form = at("form"), text = at("text"), submit = at("submit"), problem = at("problem");
const result = at("result"), words = at("words"), busy = at("busy"), summary = at("summary"), legend = at("legend");
const noun = document.body.dataset.noun;
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

const SAID = {
  too_large: `This ${noun} is too long. Shorten it and try again.`,
  invalid: "The model cannot read this text. Write a sentence or two, at most 20,000 characters.",
  not_ready: "The model is not ready yet. Try again in a moment.",
  overloaded: "Many people are asking right now. Try again in a moment.",
  timeout: "The answer took too long. Try again in a moment.",
};

let asked = 0;

async function ask(path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
  } catch {
    throw new Error("The service cannot be reached. Check your connection and try again.");
  }
  if (answer.ok) return answer.json();
  const error = await answer.json().catch(() => ({}));
  const id = error.requestId ? ` Request ${error.requestId}.` : "";
  throw new Error(SAID[error.code] ?? `Something went wrong (${answer.status}).${id}`);
}

function complain(message) {
  problem.textContent = message;
  problem.hidden = !message;
  text.setAttribute("aria-invalid", String(Boolean(message) && !text.value.trim()));
}

function working(yes) {
  submit.setAttribute("aria-disabled", String(yes));
  submit.textContent = yes ? "Reading…" : "Read it";
  result.classList.toggle("stale", yes);
}

const OTHERS = 5;

function capital(name) {
  return name[0].toUpperCase() + name.slice(1);
}

function likely(probability) {
  return percent.format(Math.min(probability, 0.999));
}

function showVerdict({ label, labels, probability, probabilities, model, truncated, unknown }) {
  const free = labels.length !== 1;
  at("verdict").textContent = labels.length ? capital(labels.join(", ")) : "No label fits";
  at("share").textContent = free ? `${capital(label)}: ${likely(probability)}` : `${likely(probability)} sure`;
  // Of two labels that exclude each other, one says all.
  const others = Object.entries(probabilities).filter(([name]) => name !== label).sort(([, a], [, b]) => b - a);
  at("others").hidden = others.length < 2 && !free;
  at("others").replaceChildren(...others.slice(0, OTHERS).map(([name, each]) => {
    const item = document.createElement("li");
    item.textContent = `${capital(name)}: ${likely(each)}`;
    return item;
  }));
  at("version").textContent = model;
  at("cut").hidden = !truncated;
  at("unknown").hidden = unknown < 1;
  words.replaceChildren();
  summary.textContent = "";
  legend.hidden = true;
  busy.textContent = "Asking about each word…";
  result.hidden = false;
  // The bar grows from where it was: its width is set once the panel is laid out.
  requestAnimationFrame(() => at("fill").style.setProperty("width", `${100 * probability}%`));
}

function showWords({ label, words: parts }) {
  const most = Math.max(...parts.map((part) => Math.abs(part.weight)), 0.05);
  words.replaceChildren(...parts.flatMap(({ text: whole, weight }) => {
    const strength = Math.ceil((4 * Math.abs(weight)) / most);
    if (Math.abs(weight) < 0.05 * most) return [whole];
    const bare = whole.trimEnd(), span = document.createElement("span");
    span.className = `word ${weight > 0 ? "for" : "against"} w${strength}`;
    span.textContent = bare;
    return [span, whole.slice(bare.length)];
  }));
  busy.textContent = "";
  const strongest = parts.filter((part) => Math.abs(part.weight) >= 0.2 * most)
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)).slice(0, 6);
  const named = (sign) => distinct(strongest.filter((part) => Math.sign(part.weight) === sign)
    .map((part) => short(part.text))).map((name) => `“${name}”`).join(", ");
  const most_for = named(1), most_against = named(-1);
  legend.hidden = !most_for && !most_against;
  at("legend-for").textContent = `for ${label}`;
  at("legend-against").textContent = `against ${label}`;
  summary.textContent = [
    most_for && `For ${label}: ${most_for}.`, most_against && `Against ${label}: ${most_against}.`,
  ].filter(Boolean).join(" ") || "No single word decided it.";
}

// Each phrase once, however often and in whatever case the text has it.
function distinct(names) {
  return [...new Map([...names].reverse().map((name) => [name.toLowerCase(), name])).values()].reverse();
}

function short(words) {
  const bare = words.trim().replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "") || words.trim();
  return bare.length > 40 ? `${bare.slice(0, 39)}…` : bare;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (submit.getAttribute("aria-disabled") === "true") return;
  const written = text.value;
  if (!written.trim()) {
    complain(`Write a ${noun} first.`);
    text.focus();
    return;
  }
  complain("");
  working(true);
  const mine = ++asked;
  try {
    const verdict = await ask("predict", { text: written });
    if (mine !== asked) return;
    showVerdict(verdict);
  } catch (error) {
    if (mine === asked) {
      complain(error.message);
      forget();
    }
    return;
  } finally {
    working(false);
  }
  if (result.getBoundingClientRect().bottom > innerHeight) result.scrollIntoView({ block: "start" });
  try {
    const explained = await ask("explain", { text: written });
    if (mine === asked) showWords(explained);
  } catch (error) {
    if (mine === asked) busy.textContent = error.message;
  }
});

// A verdict is of the text that it was asked for: it goes once another is there, or none came.
function forget() {
  asked += 1;
  result.hidden = true;
}

text.addEventListener("input", () => {
  complain("");
  forget();
});
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
for (const example of document.querySelectorAll(".example")) {
  example.addEventListener("click", () => {
    if (submit.getAttribute("aria-disabled") === "true") return;
    text.value = example.textContent;
    forget();
    form.requestSubmit();
  });
}
