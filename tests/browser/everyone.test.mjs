// What every page promises to everyone: keyboard, contrast, small windows, both languages, no scripts,
// and nothing from elsewhere.
import { after, afterEach, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPage, startBrowser, until } from './lib/browser.mjs';
import { order, startWorld } from './lib/casedrop.mjs';
import { assertAccessible, assertFocusSeen, assertNoSidewaysScroll } from './lib/checks.mjs';
import { allPages, on } from './lib/pages.mjs';

const GOOD = '17500001';
const BAD = '17500002';
const PAGES = Object.entries({ ...allPages(GOOD), 'an order in trouble': allPages(BAD)['an order'] });

let chromium;
let world;
let opened;

before(async () => {
  chromium = await startBrowser();
  world = await startWorld({ orders: [order(GOOD, { screen_captures: true }), order(BAD, { regenerating: 1000 })] });
  await world.published(GOOD);
  await world.story(BAD, (story) => story.state === 'attention');
  // Something to show on the commands and audit pages.
  await world.command(`refetch ${GOOD}.txt`);
  await world.command('refetch nonsense.txt');
});
after(async () => {
  await chromium?.close();
  await world?.close();
});
afterEach(async () => {
  await opened?.close();
  opened = undefined;
});

async function open(options) {
  opened = await openPage(chromium.browser, world.origin, options);
  return opened.page;
}

for (const colorScheme of ['light', 'dark']) {
  for (const locale of ['en-GB', 'de-DE']) {
    test(`axe-core finds nothing serious, ${colorScheme}, ${locale}`, async () => {
      const page = await open({ colorScheme, locale });
      for (const [name, path] of PAGES) {
        await page.goto(opened.url(path));
        assert.equal(await page.locator('html').getAttribute('lang'), locale.slice(0, 2), name);
        await assertAccessible(page);
      }
    });
  }
}

test('dark is dark, and light is light', async () => {
  const lightness = async (colorScheme) => {
    const page = await open({ colorScheme });
    await page.goto(world.origin);
    const color = await page.evaluate(() => {
      const context = new OffscreenCanvas(1, 1).getContext('2d');
      context.fillStyle = getComputedStyle(document.body).backgroundColor;
      context.fillRect(0, 0, 1, 1);
      return [...context.getImageData(0, 0, 1, 1).data];
    });
    await opened.close();
    assert.equal(color[3], 255, 'the background is painted');
    return (color[0] + color[1] + color[2]) / 3;
  };
  assert.ok(await lightness('light') > 200);
  assert.ok(await lightness('dark') < 60);
});

for (const width of [360, 1280]) {
  test(`no page scrolls sideways at ${width} px, in either language`, async () => {
    for (const locale of ['en-GB', 'de-DE']) {
      const page = await open({ locale, viewport: { width, height: 740 } });
      for (const [, path] of PAGES) {
        await page.goto(opened.url(path));
        await assertNoSidewaysScroll(page);
      }
      await opened.close();
    }
  });
}

test('no page has an error, breaks its policy, or asks anybody else', async () => {
  for (const [name, path] of PAGES) {
    const page = await open();
    const answer = await page.goto(opened.url(path));
    await page.waitForLoadState('load');
    // The page of an unknown order has an error status, which the browser logs.
    const problems = opened.problems.filter((problem) => answer.ok() || !problem.includes('Failed to load resource'));
    assert.deepEqual(problems, [], name);
    assert.match(answer.headers()['content-security-policy'] ?? '', /default-src 'none'/, name);
    await opened.close();
  }
});

test('overview, list and order take less than 500 kB without the 3D view', async () => {
  let bytes = 0;
  const page = await open();
  // The view opens by itself where it is on the screen.
  const ofView = /\/(viewer|scene|orientation|mesh|three)\.js$|%2E(stl|ply)$/;
  page.on('requestfinished', async (request) => {
    if (ofView.test(request.url())) return;
    const sizes = await request.sizes().catch(() => undefined);
    bytes += sizes ? sizes.responseBodySize + sizes.responseHeadersSize : 0;
  });
  for (const path of ['/', '/orders', world.pageOf(GOOD)]) {
    await page.goto(opened.url(path));
    await page.waitForLoadState('load');
  }
  await opened.close();
  assert.ok(bytes > 10_000, `${bytes} bytes were counted`);
  assert.ok(bytes < 500_000, `${bytes} bytes`);
});

test('the language can be changed, and stays', async () => {
  const page = await open();
  await page.goto(world.origin);
  await page.getByRole('link', { name: 'Deutsch' }).click();
  await page.getByRole('heading', { level: 1, name: 'Übersicht' }).waitFor();
  await page.goto(opened.url('/orders'));
  await page.getByRole('heading', { level: 1, name: 'Aufträge' }).waitFor();
});

/** Presses Tab until that element has the focus; the focus must be visible at every step. */
async function tabTo(page, locator) {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press('Tab');
    await assertFocusSeen(page);
    if (await locator.evaluate((element) => element === document.activeElement)) return;
  }
  assert.fail(`60 Tabs do not lead to ${locator}`);
}

test('with the keyboard alone from the overview to fetching an order again', async () => {
  const page = await open();
  const seen = on(page);
  await page.goto(world.origin);
  await page.keyboard.press('Tab');
  assert.match(await assertFocusSeen(page), /Skip to the content/);
  await page.keyboard.press('Enter');
  assert.ok(await seen.main.evaluate((main) => main === document.activeElement || main.contains(document.activeElement)));
  await page.goto(world.origin);
  await tabTo(page, seen.navigation('Orders'));
  await page.keyboard.press('Enter');
  await page.waitForURL('**/orders');
  await tabTo(page, seen.orderLink(GOOD));
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: GOOD }).waitFor();
  await tabTo(page, seen.refetch);
  await page.keyboard.press('Enter');
  await seen.answer.waitFor();
  assert.match(await seen.answer.textContent(), /done/i);
});

test('everything but the live parts works without scripts', async () => {
  const page = await open({ javaScriptEnabled: false });
  const seen = on(page);
  await page.goto(world.origin);
  await seen.lab.waitFor();
  assert.match(await page.locator('time').first().textContent(), /UTC/);
  await seen.navigation('Orders').click();
  await seen.search.fill(GOOD);
  await seen.showResults.click();
  await page.getByRole('heading', { level: 1, name: GOOD }).waitFor();
  assert.ok(await seen.show3d.isHidden(), 'what needs a script is not offered');
  const links = page.locator('#viewer a[download]');
  assert.deepEqual(await links.allTextContents(), ['Upper jaw', 'Lower jaw']);
  assert.ok(await links.first().isVisible(), 'the scans are there as links');
  await seen.refetch.click();
  await seen.answer.waitFor();
  assert.match(await seen.answer.textContent(), /done/i);
});

test('when the agent ends, the page says that it is alone, and takes it back', async () => {
  const page = await open();
  const seen = on(page);
  await page.goto(world.origin);
  await seen.lab.waitFor();
  await world.stopAgent();
  await seen.offline.waitFor();
  await world.startAgent();
  await seen.offline.waitFor({ state: 'hidden', timeout: 60_000 });
  await until('it is live again', async () => !(await seen.offline.isVisible()));
});
