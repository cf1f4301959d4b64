// Times, which the server writes in UTC, as the clock on this wall shows them.
//
//   <time datetime="2026-11-24T13:05:00Z">       14:05, on other days 24 Nov, 14:05
//   <time datetime="…" data-seconds>             14:05:00
//   <time datetime="…" data-relative>            3 minutes ago
import { locale } from './format.js';

/** How often relative times are told anew, in milliseconds. */
const EVERY = 15_000;

const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
const [usual, exact] = [clock, { ...clock, second: '2-digit' }].map((time) => ({
  today: new Intl.DateTimeFormat(locale, time),
  thisYear: new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', ...time }),
  anyYear: new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric', ...time }),
}));
const whole = new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'long', hourCycle: 'h23' });
const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });

/** Rewrites the times below an element, and itself if it is one. */
export function localise(root) {
  const now = new Date();
  const times = [...root.querySelectorAll('time[datetime]')];
  if (root.matches?.('time[datetime]')) times.push(root);
  for (const element of times) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const form = 'seconds' in element.dataset ? exact : usual;
    const text = 'relative' in element.dataset ? distance(at - now) : absolute(at, now, form);
    // What stays the same is not touched, so that a selection in it stays too.
    if (element.textContent !== text) element.textContent = text;
    const title = whole.format(at);
    if (element.title !== title) element.title = title;
  }
}

/** Keeps all relative times right from now on. */
export function keepTelling() {
  setInterval(() => {
    if (!document.hidden) localise(document.body);
  }, EVERY);
}

function absolute(at, now, { today, thisYear, anyYear }) {
  if (at.toDateString() === now.toDateString()) return today.format(at);
  return (at.getFullYear() === now.getFullYear() ? thisYear : anyYear).format(at);
}

function distance(milliseconds) {
  const seconds = milliseconds / 1000;
  // Told every 15 seconds, so it is not told more finely.
  if (Math.abs(seconds) < 52) return relative.format(Math.round(seconds / 15) * 15, 'second');
  const minutes = Math.round(seconds / 60);
  if (Math.abs(minutes) < 60) return relative.format(minutes, 'minute');
  const hours = Math.round(seconds / 3600);
  if (Math.abs(hours) < 24) return relative.format(hours, 'hour');
  return relative.format(Math.round(seconds / 86400), 'day');
}
