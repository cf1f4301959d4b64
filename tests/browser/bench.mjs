// Page times with a hundred thousand orders, from the request to the browser's load event and to the
// last byte of the page itself, over loopback.
//
//   .ci/browser.sh bench [ORDERS]
import { openPage, startBrowser } from './lib/browser.mjs';
import { FIRST, MANY, startCrowdedWorld } from './lib/many.mjs';

const ROUNDS = 15;
const count = Number(process.argv[2] ?? MANY);

const chromium = await startBrowser();
const world = await startCrowdedWorld(count);
try {
  console.log(`${count} orders; median and worst of ${ROUNDS} in milliseconds`);
  console.log('page                                        page itself       load event      kB');
  for (const path of [
    '/', '/orders', '/orders?sort=case-type', `/orders?q=${FIRST + Math.floor(count / 2)}`, `/orders?page=${Math.floor(count / 60)}`,
    '/orders?q=nothing-like-this', world.pageOf(FIRST + 1),
  ]) {
    const opened = await openPage(chromium.browser, world.origin);
    const times = { page: [], load: [] };
    let size = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      await opened.page.goto(opened.url(path), { waitUntil: 'load' });
      const entry = await opened.page.evaluate(() => {
        const [{ responseEnd, loadEventStart, transferSize }] = performance.getEntriesByType('navigation');
        const others = performance.getEntriesByType('resource').reduce((sum, one) => sum + one.transferSize, 0);
        return { page: responseEnd, load: loadEventStart, size: transferSize + others };
      });
      times.page.push(entry.page);
      times.load.push(entry.load);
      size = Math.max(size, entry.size);
    }
    const shown = (list) => {
      const sorted = list.toSorted((a, b) => a - b);
      return `${sorted[Math.floor(ROUNDS / 2)].toFixed(0).padStart(6)} ${sorted.at(-1).toFixed(0).padStart(6)}`;
    };
    console.log(`${path.padEnd(44)}${shown(times.page)}    ${shown(times.load)}   ${(size / 1000).toFixed(0).padStart(6)}`);
    await opened.close();
  }
} finally {
  await world.close();
  await chromium.close();
}
