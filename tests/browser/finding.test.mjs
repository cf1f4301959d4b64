// Finding orders: the search in the header, filters, the way back to the list, and numbers that this PC
// does not know.
import { after, afterEach, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPage, startBrowser } from './lib/browser.mjs';
import { order, startWorld } from './lib/casedrop.mjs';
import { assertAccessible, assertWholeWords, assertNoSidewaysScroll } from './lib/checks.mjs';
import { on } from './lib/pages.mjs';

const FIRST = '17500001';
const SECOND = '17500002';
/** At Align, but in nobody's list: only its number leads to it. */
const UNLISTED = '17500003';

let chromium;
let world;
let opened;

before(async () => {
  chromium = await startBrowser();
  world = await startWorld({
    orders: [order(FIRST), order(SECOND, { kind: 'restorative' }), order(UNLISTED, { kind: 'restorative', status: 'Downloaded' })],
  });
  await world.published(FIRST);
  await world.published(SECOND);
});
after(async () => {
  await chromium?.close();
  await world?.close();
});
afterEach(async () => {
  await opened?.close();
  opened = undefined;
});

async function open(path, options) {
  opened = await openPage(chromium.browser, world.origin, options);
  await opened.page.goto(opened.url(path));
  return { page: opened.page, seen: on(opened.page) };
}

test('from any page the search leads to an order, by its number as files have it and by its code', async () => {
  const { page, seen } = await open('/settings');
  await seen.search.fill(`#${FIRST}`);
  await seen.search.press('Enter');
  await page.getByRole('heading', { level: 1, name: FIRST }).waitFor();
  const code = (await page.locator('#order-head .muted').textContent()).trim();
  assert.ok(code, 'the simulated order has a code');
  await page.goto(opened.url('/log'));
  await seen.search.fill(code.toLowerCase());
  await seen.showResults.click();
  await page.getByRole('heading', { level: 1, name: FIRST }).waitFor();
  opened.assertClean();
});

test('the search finds by lab and account, and leads to the list', async () => {
  const { page, seen } = await open('/');
  for (const text of ['smile-lab', 'dental']) {
    await seen.search.fill(text);
    await seen.search.press('Enter');
    await page.waitForURL(new RegExp(`/orders\\?q=${text}`));
    await seen.orderLink(FIRST).waitFor();
    await seen.orderLink(SECOND).waitFor();
  }
  opened.assertClean();
});

test('filters act at once, and an order leads back to the list as it was', async () => {
  const { page, seen } = await open('/orders?q=smile-lab');
  await page.evaluate(() => { window.neverLeft = true; });
  await page.locator('select[name="state"]').selectOption('held');
  await page.getByText('No matching orders.').waitFor();
  await page.locator('select[name="state"]').selectOption('published');
  await seen.orderLink(FIRST).waitFor();
  assert.ok(await page.evaluate(() => window.neverLeft), 'the page was never loaded anew');
  assert.match(page.url(), /q=smile-lab&state=published/);
  await page.getByRole('columnheader', { name: 'Order' }).getByRole('link').click();
  await page.waitForURL(/sort=highest/);
  assert.match(await seen.rows.first().textContent(), new RegExp(SECOND));
  await seen.orderLink(FIRST).click();
  await page.getByRole('link', { name: '← Orders' }).click();
  await page.waitForURL(/\/orders\?q=smile-lab&state=published&sort=highest$/);
  opened.assertClean();
});

test('days choose orders', async () => {
  const { page, seen } = await open('/orders');
  await page.getByLabel('Received to').fill('2020-01-01');
  await page.getByText('No matching orders.').waitFor();
  await page.getByRole('link', { name: 'Remove all filters' }).click();
  await seen.orderLink(FIRST).waitFor();
  opened.assertClean();
});

test('an unknown number is fetched from Align by a button', async () => {
  const { page, seen } = await open('/');
  await seen.search.fill(UNLISTED);
  await seen.search.press('Enter');
  await seen.unknown.waitFor();
  assert.match(await seen.unknown.textContent(), /another lab/);
  await seen.fetchByNumber.click();
  await page.getByRole('heading', { level: 1, name: UNLISTED }).waitFor();
  await page.waitForURL((url) => decodeURIComponent(url.pathname) === world.pageOf(UNLISTED), { timeout: 30_000 });
  await world.published(UNLISTED);
  const audit = await world.casedrop('audit');
  assert.match(audit, new RegExp(`refetch.*${UNLISTED}|${UNLISTED}.*refetch`));
});

test('without scripts there is a button for the filters, and an unknown number is fetched as well', async () => {
  const { page, seen } = await open('/orders', { javaScriptEnabled: false });
  await page.locator('select[name="state"]').selectOption('held');
  await page.getByRole('button', { name: 'Show' }).click();
  await page.getByText('No matching orders.').waitFor();
  await page.goto(opened.url('/orders/17599999'));
  await seen.unknown.waitFor();
  await seen.fetchByNumber.click();
  await page.getByRole('heading', { level: 1, name: '17599999' }).waitFor();
});

test('the lists break no word at 1280 px, and are for everyone', async () => {
  for (const locale of ['en-GB', 'de-DE']) {
    const { page } = await open('/', { locale, viewport: { width: 1280, height: 800 } });
    for (const path of ['/', '/orders', '/orders/17599998', '/diagnostics']) {
      await page.goto(opened.url(path));
      await assertAccessible(page);
      await assertNoSidewaysScroll(page);
      await assertWholeWords(page);
    }
    await opened.close();
  }
});

test('the menu stays where it is from page to page', async () => {
  const { page, seen } = await open('/', { viewport: { width: 1280, height: 800 } });
  const places = [];
  for (const path of ['/', '/orders', '/diagnostics', '/log', '/welcome']) {
    await page.goto(opened.url(path));
    const { x, y } = await seen.navigation('Orders').boundingBox();
    places.push(`${x} ${y}`);
  }
  assert.deepEqual(new Set(places).size, 1, places.join(', '));
});
