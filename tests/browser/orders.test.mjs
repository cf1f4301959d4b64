// What users do with orders on the page.
import { after, afterEach, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPage, startBrowser, until } from './lib/browser.mjs';
import { order, startWorld } from './lib/casedrop.mjs';
import { on } from './lib/pages.mjs';

const FIRST = '17500001';
const SECOND = '17500002';

let chromium;
let world;
let opened;

before(async () => {
  chromium = await startBrowser();
  world = await startWorld({ orders: [order(FIRST), order(SECOND)] });
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

async function open(path) {
  opened = await openPage(chromium.browser, world.origin);
  await opened.page.goto(opened.url(path));
  return { page: opened.page, seen: on(opened.page) };
}

test('a download moves on the overview, with its rate, and ends as a published order', async () => {
  const id = '17500003';
  await world.fault({ endpoint: 'downloadAsset', order: id, asset: 'IDE', kind: { slow: { bytes_per_second: 500_000 } } });
  const { page, seen } = await open('/');
  await page.evaluate(() => { window.neverLeft = true; });
  await world.scan(order(id, { triangles: undefined, mesh_bytes: 4_000_000, stored: true }));
  const line = seen.download(id);
  await line.waitFor({ timeout: 30_000 });
  const bytes = () => line.locator('progress').evaluate((bar) => bar.value);
  const first = await until('some of it has come', async () => (await bytes()) || undefined);
  await until('more of it has come', async () => (await bytes()) > first);
  await line.locator('.rate', { hasText: /\d\s?[kM]B\/s/ }).waitFor();
  assert.match(await line.locator('.amount').textContent(), /^[\d.]+\s[kM]B of [\d.]+\sMB$/);
  await line.waitFor({ state: 'detached', timeout: 60_000 });
  await seen.orderLink(id).first().waitFor();
  assert.ok(await page.evaluate(() => window.neverLeft), 'the page was never loaded anew');
  await world.published(id);
  opened.assertClean();
});

test('the page of an order follows what becomes of it', async () => {
  const { page, seen } = await open(world.pageOf(SECOND));
  await page.evaluate(() => { window.neverLeft = true; });
  await world.align('POST', `/orders/${SECOND}/flow/send-to-modeling`);
  await world.align('POST', `/orders/${SECOND}/flow/modeling-completed`);
  await world.published(SECOND, 2);
  await page.locator('#revisions').getByText('r2').waitFor({ timeout: 30_000 });
  assert.ok(await page.evaluate(() => window.neverLeft));
});

test('fetching again is answered, and done', async () => {
  const { seen } = await open(world.pageOf(FIRST));
  const before = await world.downloads(FIRST);
  await seen.refetch.click();
  await seen.answer.waitFor();
  assert.match(await seen.answer.textContent(), /done/i);
  assert.match(await seen.answer.textContent(), new RegExp(FIRST));
  await until('it was fetched once more', async () => (await world.downloads(FIRST)) > before);
  opened.assertClean();
});

test('an order is found by its number from the list', async () => {
  const { page, seen } = await open('/orders');
  await seen.search.fill(SECOND);
  await seen.showResults.click();
  await page.getByRole('heading', { level: 1, name: SECOND }).waitFor();
});

test('a scan goes back to the doctor only when its number is typed once more', async () => {
  const id = '17500004';
  await world.scan(order(id));
  await world.published(id);
  const { page, seen } = await open(world.pageOf(id));
  await seen.startReturn.click();
  await seen.returnReason.fill('Margin of tooth 36 is not visible');
  await seen.returnConfirm.fill(FIRST);
  await seen.returnDo.click();
  await seen.returnProblem.waitFor();
  const returns = async () => (await world.align('GET', '/state')).returns;
  assert.deepEqual(await returns(), []);
  assert.equal(await seen.returnReason.inputValue(), 'Margin of tooth 36 is not visible', 'it is not lost');
  await seen.returnConfirm.fill(id);
  await seen.returnDo.click();
  await seen.answer.waitFor();
  assert.match(await seen.answer.textContent(), /done/i);
  assert.doesNotMatch(await seen.answer.textContent(), /not done/i);
  assert.deepEqual(await returns(), [[id, 'Margin of tooth 36 is not visible']]);
  // The browser tells of each form that is not accepted.
  assert.equal(opened.problems.splice(0).filter((problem) => !/status of 422/.test(problem)).length, 0);
});

test('an order that needs a person is named on the overview, with what to do', async () => {
  const id = '17500005';
  await world.scan(order(id, { regenerating: 1000 }));
  const { seen } = await open('/');
  await seen.needsPerson.getByRole('heading', { name: id }).waitFor({ timeout: 30_000 });
  assert.match(await seen.needsPerson.textContent(), /What to do:/);
});
