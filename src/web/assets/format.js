// Numbers and times in the page's language.

const language = document.documentElement.lang || 'en';

/** For Intl. Plain English means day before month and 24 hours, as the server writes them. */
export const locale = language === 'en' ? 'en-GB' : language;

const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** A size in decimal units with one digit, such as "34.5 MB". Rounds down, like the server. */
export function size(bytes) {
  if (bytes < 1000) return `${whole.format(Math.max(0, bytes))}\u00a0B`;
  let tenth = Math.floor(bytes / 100);
  const units = ['kB', 'MB', 'GB', 'TB'];
  while (tenth >= 10000 && units.length > 1) {
    tenth = Math.floor(tenth / 1000);
    units.shift();
  }
  return `${tenths.format(tenth / 10)}\u00a0${units[0]}`;
}

/** A time span in the unit that fits, such as "12 sec" or "3 min". */
export function span(seconds) {
  const minutes = seconds / 60;
  if (minutes < 1.5) return unit(Math.max(1, Math.ceil(seconds)), 'second');
  if (minutes < 90) return unit(Math.round(minutes), 'minute');
  return unit(Math.round(minutes / 60), 'hour');
}

function unit(value, name) {
  return new Intl.NumberFormat(locale, { style: 'unit', unit: name, unitDisplay: 'short' }).format(value);
}

/** A sentence of the server's with its {blanks} filled in; `fallback` where it has none. */
export function fill(sentence, blanks, fallback) {
  return (sentence ?? fallback).replace(/\{(\w+)\}/g, (all, name) => blanks[name] ?? all);
}
