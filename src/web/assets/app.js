// Makes the pages live. Without it they work as well: every link and form is plain HTML.
import { begin, goTo, remember } from './live.js';
import { keepTelling, localise } from './times.js';

/** How long a button says that it has done its work, in milliseconds. */
const SAID = 2000;
/** How long somebody may pause while typing a date, in milliseconds. */
const TYPING = 700;

remember();
localise(document.body);
keepTelling();
begin();

// One listener for all, so that elements which come later are served too.
document.addEventListener('click', (event) => {
  const button = event.target.closest?.('button');
  if (button?.matches('.copy[data-copy]')) copy(button);
  if (button?.matches('.view3d[data-viewer]')) view(button, true);
});

// The 3D view opens as soon as it is on the screen, unless data is to be saved.
const onScreen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    onScreen.unobserve(target);
    const button = target.querySelector('.view3d');
    if (button && !target.dataset.state) view(button, false);
  }
}, { threshold: 0.2 });
const watched = new WeakSet();

function watch() {
  const viewer = document.querySelector('#viewer[data-auto]');
  if (!viewer || watched.has(viewer) || navigator.connection?.saveData) return;
  watched.add(viewer);
  onScreen.observe(viewer);
}

watch();
// A scan that arrives while the page is open.
const scan = document.getElementById('scan');
if (scan) new MutationObserver(watch).observe(scan, { childList: true });

// The agent begins anew: the page goes on as soon as it answers again.
const restart = document.querySelector('[data-restart]')?.dataset.restart;
if (restart) {
  // The page would do so by itself, a bit later, and not look first.
  document.querySelector('meta[http-equiv="refresh"]')?.remove();
  const look = async () => {
    try {
      const answer = await fetch(restart, { credentials: 'same-origin', cache: 'no-store' });
      if (answer.ok) return location.replace(restart);
    } catch {
      // Not yet.
    }
    setTimeout(look, 500);
  };
  setTimeout(look, 1500);
}

// Filters act at once: <form data-at-once="/orders">. Without scripts there is a button.
let filtering;
document.addEventListener('change', (event) => {
  const form = event.target.form;
  if (!form?.dataset.atOnce) return;
  const fields = [...new FormData(form)].filter(([, value]) => value !== '');
  // While somebody types a year, the date is one of long ago.
  if (event.target.type === 'date' && event.target.value && event.target.value < '2000') return;
  const query = new URLSearchParams(fields).toString();
  const { atOnce } = form.dataset;
  clearTimeout(filtering);
  // Typing a day or a month is not done with its first digit.
  const wait = event.target.type === 'date' ? TYPING : 0;
  filtering = setTimeout(goTo, wait, query ? `${atOnce}?${query}` : atOnce);
});

// A form that must not be sent twice.
document.addEventListener('submit', (event) => {
  const form = event.target;
  if (!('once' in form.dataset) || event.defaultPrevented) return;
  form.dataset.sent = '';
  // Later, since a button that is off is not sent.
  setTimeout(() => able(form, false));
});
addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) {
    delete form.dataset.sent;
    able(form, true);
  }
});

function able(form, is) {
  for (const element of form.elements) {
    if (element.type === 'submit') element.disabled = !is;
  }
}

/** `<button type="button" class="copy" data-copy="text" data-done="Copied" data-failed="…">` */
async function copy(button) {
  const isDone = await toClipboard(button.dataset.copy);
  const text = isDone ? button.dataset.done : button.dataset.failed;
  if (text) say(button, text);
}

async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Not a secure context, or not allowed.
  }
  const field = document.createElement('textarea');
  field.value = text;
  field.readOnly = true;
  field.className = 'unseen';
  const focus = document.activeElement;
  document.body.append(field);
  field.select();
  const isDone = document.execCommand('copy');
  field.remove();
  focus?.focus({ preventScroll: true });
  return isDone;
}

const saying = new Map();

function say(button, text) {
  const label = button.querySelector('.label') ?? button;
  const earlier = saying.get(button);
  clearTimeout(earlier?.timer);
  const usual = earlier?.usual ?? label.textContent;
  label.textContent = text;
  const timer = setTimeout(() => {
    saying.delete(button);
    if (label.textContent === text) label.textContent = usual;
  }, SAID);
  saying.set(button, { timer, usual });
  const news = document.getElementById('news');
  if (news) news.textContent = text;
}

/** The 3D view is loaded only where it is seen. `isAsked`: somebody pressed the button. */
async function view(button, isAsked) {
  const section = button.closest('#viewer');
  if (!section || button.ariaBusy) return;
  button.ariaBusy = 'true';
  section.dataset.state = 'loading';
  try {
    const { open } = await import(button.dataset.viewer);
    await open(section, button, isAsked);
  } catch (error) {
    console.error(error);
    section.dataset.state = 'failed';
  } finally {
    button.ariaBusy = null;
  }
}
