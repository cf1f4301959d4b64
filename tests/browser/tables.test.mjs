// Orders and records as tables: no word is broken, nothing is wider than the window, and what is asked for
// is found.
import { after, afterEach, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { openPage, startBrowser } from './lib/browser.mjs';
import { order, startWorld } from './lib/casedrop.mjs';
import { assertAccessible, assertNoSidewaysScroll, assertWholeWords } from './lib/checks.mjs';
import { on } from './lib/pages.mjs';

const ORTHO = '17500001';
const RESTORATIVE = '17500003';
const BAD = '17500002';

let chromium;
let world;
let opened;

before(async () => {
  chromium = await startBrowser();
  world = await startWorld({
    orders: [
      order(ORTHO, { screen_captures: true }),
      order(RESTORATIVE, { kind: 'restorative', mesh: 'ply' }),
      order(BAD, { regenerating: 1000 }),
    ],
  });
  await world.published(ORTHO);
  await world.published(RESTORATIVE);
  await world.story(BAD, (story) => story.state === 'attention');
  for (const name of [`refetch ${ORTHO}.txt`, 'status.txt', 'verify.txt', 'refetch nonsense.txt']) await world.command(name);
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

for (const width of [360, 1280]) {
  for (const locale of ['en-GB', 'de-DE']) {
    test(`no word is broken and nothing overflows at ${width} px, ${locale}`, async () => {
      const { page } = await open('/', { locale, viewport: { width, height: 800 } });
      const orders = [ORTHO, RESTORATIVE, BAD].map((id) => world.pageOf(id));
      for (const path of [...orders, '/audit', '/commands', '/log', '/log?level=5', '/settings', '/settings?all=1']) {
        await page.goto(opened.url(path));
        for (const summary of await page.locator('summary').all()) await summary.click();
        await assertNoSidewaysScroll(page);
        await assertWholeWords(page);
      }
    });
  }
}

test('a broken word is noticed', async () => {
  const { page } = await open('/audit', { viewport: { width: 1280, height: 800 } });
  await page.locator('td').first().evaluate((cell) => {
    cell.style.cssText = 'display: block; width: 2em; overflow-wrap: anywhere; white-space: normal';
    cell.textContent = 'unbreakable';
  });
  await assert.rejects(assertWholeWords(page), /unbreakable/);
});

test('all files come in one zip', async () => {
  const { page, seen } = await open(world.pageOf(ORTHO));
  const waiting = page.waitForEvent('download');
  await seen.downloadAll.click();
  const download = await waiting;
  assert.equal(download.suggestedFilename(), `${ORTHO}-r1.zip`);
  const bytes = await readFile(await download.path());
  assert.equal(bytes.subarray(0, 2).toString(), 'PK');
  const scans = await page.locator('#files-scans + table tbody th').allTextContents();
  assert.equal(scans.length, 2);
  for (const name of scans) assert.ok(bytes.includes(`${ORTHO}/${name}`), name);
  assert.ok(!bytes.includes('rx'), 'what names the patient is not shown, and not in there');
});

test('a picture opens on a page that says what it shows, and leads to the others', async () => {
  const { page, seen } = await open(world.pageOf(ORTHO));
  assert.deepEqual(
    await seen.pictures.allTextContents(),
    ['Overview', 'Front', 'Left', 'Right', 'Upper jaw', 'Lower jaw'],
  );
  const { width } = await seen.pictures.first().locator('img').boundingBox();
  assert.ok(width >= 250, `${width} px are enough to see something`);
  await seen.pictures.nth(1).click();
  await page.getByRole('heading', { level: 1, name: `Front · Order ${ORTHO}` }).waitFor();
  assert.ok(await page.locator('.picture img').evaluate((image) => image.complete && image.naturalWidth > 0));
  await assertAccessible(page);
  await page.getByRole('link', { name: 'Next picture' }).click();
  await page.getByRole('heading', { level: 1, name: `Left · Order ${ORTHO}` }).waitFor();
  opened.assertClean();
});

test('the history says nothing twice, and no attempt failed while Align prepares the files', async () => {
  const { page, seen } = await open(world.pageOf(BAD));
  const headings = await seen.story.locator('strong').allTextContents();
  assert.ok(headings.includes('Being prepared by Align'), headings.join());
  assert.ok(!headings.includes('Attempt failed'), headings.join());
  await page.goto(opened.url(world.pageOf(ORTHO)));
  const texts = await seen.story.locator('li').allTextContents();
  assert.ok(texts.some((text) => /Published.*Revision 1: first scan, \d+ files/.test(text)), texts.join());
  assert.ok(!texts.some((text) => /published revision|fetching/.test(text)), texts.join());
});

test('files are checked on request', async () => {
  const { seen } = await open(world.pageOf(RESTORATIVE));
  await seen.checkFiles.click();
  await seen.answer.waitFor();
  assert.match(await seen.answer.textContent(), /done/i);
});

test('the audit is in words, and is found by order, who and day', async () => {
  const { page } = await open('/audit');
  const rows = page.locator('#records tbody tr');
  const text = (await rows.allTextContents()).join();
  assert.match(text, /Casedrop started/);
  assert.match(text, /Casedrop itself/);
  assert.doesNotMatch(text, /agent-started|config-changed|[{}[\]"]/);
  const filter = page.locator('form.filter');
  await filter.getByRole('searchbox', { name: 'Order' }).fill(ORTHO);
  await filter.getByRole('button', { name: 'Show' }).click();
  await page.waitForURL(/order=17500001/);
  for (const row of await rows.allTextContents()) assert.match(row, /Fetch again/);
  assert.ok(await rows.count() >= 1);
  await page.goto(opened.url('/audit?day=2020-01-01'));
  await page.getByText('No matching entries.').waitFor();
  await page.goto(opened.url('/audit?who=casedrop+itself'));
  for (const row of await rows.allTextContents()) assert.match(row, /Casedrop itself/);
});

test('the log shows seconds, and names an order once per line', async () => {
  const { page } = await open('/log');
  const lines = await page.locator('.log li').allTextContents();
  assert.ok(lines.every((line) => /\d\d:\d\d:\d\d/.test(line)), lines[0]);
  const published = lines.find((line) => line.includes(ORTHO) && line.includes('published'));
  assert.equal(published.split(ORTHO).length, 2, published);
});

test('the settings say which file they are from, with whole paths and the lab by its name', async () => {
  const { page, seen } = await open('/settings?all=1');
  const text = await seen.main.textContent();
  assert.ok(text.includes(world.path('casedrop.yaml')), 'the config file');
  assert.ok(text.includes('labs[smile-lab].base_url'), 'the lab');
  assert.doesNotMatch(text, /labs\[0\]|\bnull\b/);
  assert.match(await page.locator('tr', { hasText: 'proxy' }).first().textContent(), /not set|default/);
});
