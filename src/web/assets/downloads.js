// Running downloads: how much has come, how fast, how long it will take.
//
//   <div class="download" data-order="lab/account/order">
//     <progress max="456" value="123"></progress> <span class="amount"></span> <span class="rate"></span>
//   </div>
//
// The words are the page's: data-text-of="{done} of {total}", data-text-rate="{amount}/s" and
// data-text-left="{time} left" on <body>.
import { fill, size, span } from './format.js';

/** The rate is taken over so many milliseconds. */
const WINDOW = 5000;
/** A rate over less would jump. */
const LEAST = 900;

/** By order: the last picture and the samples of the last seconds. */
let known = new Map();
/** For which orders page and server disagreed last. */
let odd = '';

/**
 * Takes over what the server says of all running downloads. Tells whether the page does not show these
 * downloads and so is out of date; the same disagreement is told once.
 */
export function take(downloads, now = performance.now()) {
  const next = new Map();
  for (const { lab, account, order, asset, done, total } of downloads) {
    const key = [lab, account, order].join('/');
    const earlier = known.get(key);
    const goesOn = earlier && earlier.asset === asset && done >= earlier.done;
    const samples = goesOn ? earlier.samples : [];
    samples.push({ now, done });
    // One sample from before the window stays, as its beginning.
    while (samples.length > 2 && now - samples[1].now >= WINDOW) samples.shift();
    next.set(key, { asset, done, total, samples });
  }
  known = next;
  paint();
  const shown = new Set([...elements()].map((element) => element.dataset.order));
  const differing = [
    ...[...known.keys()].filter((key) => !shown.has(key)).map((key) => `+${key}`),
    ...[...shown].filter((key) => !known.has(key)).map((key) => `-${key}`),
  ].sort().join(' ');
  const isNews = differing !== '' && differing !== odd;
  odd = differing;
  return isNews;
}

/** Shows what is known, for example in elements that have just come. */
export function paint() {
  for (const element of elements()) {
    const download = known.get(element.dataset.order);
    if (download) show(element, download);
  }
}

function elements() {
  return document.querySelectorAll('.download[data-order]');
}

function show(element, { done, total, samples }) {
  const bar = element.querySelector('progress');
  if (bar && total) {
    bar.max = total;
    bar.value = Math.min(done, total);
  } else {
    bar?.removeAttribute('value');
  }
  const words = document.body.dataset;
  const amount = total
    ? fill(words.textOf, { done: size(done), total: size(total) }, '{done} / {total}')
    : size(done);
  const rate = perSecond(samples);
  const parts = [];
  if (rate !== undefined) {
    parts.push(fill(words.textRate, { amount: size(rate) }, '{amount}/s'));
    if (total > done && rate >= 1) {
      parts.push(fill(words.textLeft, { time: span((total - done) / rate) }, '{time}'));
    }
  }
  write(element.querySelector('.amount'), amount);
  write(element.querySelector('.rate'), parts.join(', '));
}

/** Bytes per second, once there is enough to tell. */
function perSecond(samples) {
  const [first, last] = [samples[0], samples.at(-1)];
  const time = last.now - first.now;
  return time < LEAST ? undefined : ((last.done - first.done) * 1000) / time;
}

function write(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}
