// A hundred thousand orders. Speed is measured by bench.mjs; here it only has to work.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPage, startBrowser } from './lib/browser.mjs';
import { startCrowdedWorld, FIRST, MANY } from './lib/many.mjs';
import { on } from './lib/pages.mjs';

let chromium;
let world;

before(async () => {
  chromium = await startBrowser();
  world = await startCrowdedWorld();
});
after(async () => {
  await chromium?.close();
  await world?.close();
});

test('among a hundred thousand orders each one is found, and the pages of the list go on', async () => {
  const opened = await openPage(chromium.browser, world.origin);
  const { page } = opened;
  const seen = on(page);
  await page.goto(world.origin);
  await seen.lab.waitFor();
  await page.goto(opened.url('/orders'));
  await page.getByRole('heading', { name: /100,00\d orders/ }).waitFor();
  const count = await seen.rows.count();
  assert.ok(count > 10 && count <= 200, `a page of the list has ${count} rows`);
  const first = await seen.rows.first().textContent();
  await seen.nextPage.click();
  await page.waitForURL(/page=2/);
  assert.notEqual(await seen.rows.first().textContent(), first);

  const wanted = String(FIRST + MANY - 17);
  await seen.search.fill(wanted);
  await seen.showResults.click();
  await page.getByRole('heading', { level: 1, name: wanted }).waitFor();

  // Sorted differently, and far from the beginning.
  await page.goto(opened.url('/orders?sort=lowest&page=900'));
  assert.ok(await seen.rows.count() > 0);
  opened.assertClean();
  await opened.close();
});
