// Orders held back as incomplete: what users see, and the two ways out.
import { after, afterEach, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPage, startBrowser } from './lib/browser.mjs';
import { startWorld } from './lib/casedrop.mjs';
import { assertAccessible, assertNoSidewaysScroll } from './lib/checks.mjs';
import { withOneJawTwice } from './lib/package.mjs';
import { on } from './lib/pages.mjs';
import { assertDrawn, picture, settled } from './lib/viewer.mjs';

const WAITS = '17500001';
const WANTED = '17500002';
const BACK = '17500003';

let chromium;
let world;
let opened;

before(async () => {
  chromium = await startBrowser();
  world = await startWorld({ config: { hold: 'incomplete' } });
  for (const id of [WAITS, WANTED, BACK]) await world.package(id, withOneJawTwice(id));
  for (const id of [WAITS, WANTED, BACK]) await world.story(id, (story) => story.state === 'held');
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

test('an incomplete order says that it is held back and why, and can be looked at', async () => {
  const { page, seen } = await open(world.pageOf(WAITS));
  assert.match(await seen.orderState.first().textContent(), /held back: incomplete/);
  assert.match(await seen.heldBox.textContent(), /was not put into the hot folder/);
  assert.match(await seen.findings.textContent(), /upper and the lower jaw are the same mesh/);
  assert.equal(await page.locator('#files th a[download]').count(), 2);
  await seen.viewer.scrollIntoViewIfNeeded();
  assert.equal(await settled(page), 'ready');
  assertDrawn(await picture(page));
  opened.assertClean();
});

test('an incomplete order is published when somebody wants it', async () => {
  const { page, seen } = await open(world.pageOf(WANTED));
  await seen.publishAnyway.click();
  await seen.answer.waitFor();
  assert.match(await seen.answer.textContent(), /will be published as it is/);
  const manifest = await world.published(WANTED);
  assert.deepEqual(manifest.findings.map(({ code, severity }) => [code, severity]), [['jaws-alike', 'serious']]);
  await seen.heldBox.waitFor({ state: 'detached', timeout: 30_000 });
  await page.locator('#order-head .badge', { hasText: /^published/ }).waitFor();
  assert.equal(await seen.publishAnyway.count(), 0);
  opened.assertClean();
});

test('the doctor is asked with a text that can be read first, and only after the number is typed', async () => {
  const { seen } = await open(world.pageOf(BACK));
  const returns = async () => (await world.align('GET', '/state')).returns;
  await seen.askDoctor.click();
  const text = await seen.returnReason.inputValue();
  assert.match(text, /^Please scan again\..*upper and the lower jaw are the same mesh/);
  assert.doesNotMatch(text, /\.stl/, 'no file is named to the doctor');
  assert.deepEqual(await returns(), [], 'nothing is sent by opening the page');
  await seen.returnDo.click();
  assert.deepEqual(await returns(), [], 'nothing is sent without the number');
  await seen.returnConfirm.fill(BACK);
  await seen.returnDo.click();
  await seen.answer.waitFor();
  assert.deepEqual(await returns(), [[BACK, text]]);
  opened.assertClean();
});

for (const locale of ['en-GB', 'de-DE']) {
  test(`these pages are for everyone and fit a narrow window, ${locale}`, async () => {
    const { page } = await open(world.pageOf(WAITS), { locale, viewport: { width: 360, height: 740 } });
    for (const path of [world.pageOf(WAITS), `${world.pageOf(WAITS)}/return?ask=incomplete`, '/orders', '/']) {
      await page.goto(opened.url(path));
      await assertAccessible(page);
      await assertNoSidewaysScroll(page);
    }
  });
}
