// Keeps the page true while it is open. The server tells by an event that something has changed; the page
// is then fetched again, and what differs in its live parts is taken over.
//
//   <body data-events="/events">                 where the events come from
//   <section id="labs" data-live>                a live part; it needs an id
//   <p id="news" aria-live="polite">             what a screen reader says when its text changes
//   <p id="offline" hidden>                      shown while the agent cannot be reached
import { take, paint } from './downloads.js';
import { isEdited, morph } from './morph.js';
import { localise } from './times.js';

/** The page is fetched at most once in so many milliseconds. */
const APART = 1000;
/** Waits between attempts to hear events again, in milliseconds; the last one is repeated. */
const WAITS = [1000, 2000, 5000, 10_000, 30_000];
const LIVE = '[data-live][id]';

/** By id, the live parts as the server sent them last. */
const served = new Map();
let servedNews = '';
let events;
let attempt = 0;
let again;
let isLost = false;
let isStale = false;
let isHeld = false;
let isFetching = false;
let fetched = -Infinity;
let timer;

/** Remembers the page as the server sent it. Comes before anything rewrites it. */
export function remember() {
  for (const element of document.querySelectorAll(LIVE)) served.set(element.id, element.outerHTML);
  servedNews = document.getElementById('news')?.textContent ?? '';
}

/** Begins to listen. */
export function begin() {
  const url = document.body.dataset.events;
  if (!url) return;
  const wake = () => {
    if (document.hidden) return pause();
    if (events) return;
    listen(url);
    // Whatever was told meanwhile was missed.
    refresh();
  };
  document.addEventListener('visibilitychange', wake);
  addEventListener('pagehide', pause);
  addEventListener('pageshow', (event) => {
    if (event.persisted) wake();
  });
  // What was left out because somebody filled in a field there comes when they have done so.
  document.addEventListener('focusout', () => {
    if (isHeld) refresh();
  });
  if (!document.hidden) listen(url);
}

function listen(url) {
  clearTimeout(again);
  events = new EventSource(url);
  events.addEventListener('open', () => {
    attempt = 0;
    if (isLost) refresh();
    lost(false);
  });
  events.addEventListener('error', () => {
    lost(true);
    // The browser itself tries again, unless the server refused: that may be a login that has ended.
    if (events?.readyState !== EventSource.CLOSED) return;
    refresh();
    again = setTimeout(listen, WAITS[Math.min(attempt, WAITS.length - 1)], url);
    attempt += 1;
  });
  events.addEventListener('changed', refresh);
  events.addEventListener('progress', (event) => {
    if (take(JSON.parse(event.data).downloads)) refresh();
  });
}

function pause() {
  clearTimeout(again);
  events?.close();
  events = undefined;
}

function lost(is) {
  isLost = is;
  const notice = document.getElementById('offline');
  if (notice && notice.hidden === is) notice.hidden = !is;
}

/** Goes to another address of the same page, and shows what differs without leaving it. */
export function goTo(address) {
  history.replaceState(history.state, '', address);
  isStale = true;
  clearTimeout(timer);
  timer = undefined;
  // The page on its way is that of the former address; the next one follows at once.
  if (isFetching) fetched = -Infinity;
  else update();
}

/** Fetches the page as soon as it may. */
function refresh() {
  isStale = true;
  if (isFetching || timer || document.hidden) return;
  timer = setTimeout(update, Math.max(0, fetched + APART - performance.now()));
}

async function update() {
  timer = undefined;
  isFetching = true;
  isStale = false;
  fetched = performance.now();
  try {
    const headers = { accept: 'text/html' };
    const answer = await fetch(location.href, { headers, credentials: 'same-origin', cache: 'no-store' });
    if (answer.redirected && new URL(answer.url).pathname === '/login') {
      location.assign(answer.url);
      return;
    }
    // Only whoever goes to the page is led to the login.
    if (answer.status === 401) {
      location.reload();
      return;
    }
    if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), 'text/html'));
  } catch {
    // The agent cannot be reached, which the missing events tell as well.
  } finally {
    isFetching = false;
  }
  // Something changed meanwhile.
  if (isStale) refresh();
}

function show(page) {
  const done = [];
  isHeld = false;
  for (const fresh of page.querySelectorAll(LIVE)) {
    const html = fresh.outerHTML;
    const old = document.getElementById(fresh.id);
    if (!old || served.get(fresh.id) === html) continue;
    if (isEdited(old)) {
      isHeld = true;
      continue;
    }
    served.set(fresh.id, html);
    if (done.some((element) => element.contains(old))) continue;
    keepFocus(old, () => morph(old, fresh));
    localise(old);
    done.push(old);
  }
  paint();
  if (page.title && document.title !== page.title) document.title = page.title;
  const news = document.getElementById('news');
  const text = page.getElementById('news')?.textContent ?? '';
  if (news && text !== servedNews) news.textContent = text;
  servedNews = text;
}

/** If what had the focus is gone, the part around it gets it: the keyboard does not start over. */
function keepFocus(part, change) {
  const isInside = part.contains(document.activeElement) && part !== document.activeElement;
  change();
  if (!isInside || part.contains(document.activeElement)) return;
  part.tabIndex = -1;
  part.focus({ preventScroll: true });
}
