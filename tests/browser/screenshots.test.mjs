// The pictures of the README. UPDATE_SCREENSHOTS=1 writes them to docs/images; otherwise they go to
// target/screenshots, so that the test does not change the checkout.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openPage, startBrowser } from './lib/browser.mjs';
import { order, startWorld } from './lib/casedrop.mjs';
import { on } from './lib/pages.mjs';
import { picture, settled } from './lib/viewer.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FOLDER = join(ROOT, process.env.UPDATE_SCREENSHOTS === '1' ? 'docs/images' : 'target/screenshots');

const ORTHO = '17544365';
const RESTORATIVE = '17551207';
const RUNNING = '17560093';

let chromium;
let world;

before(async () => {
  await mkdir(FOLDER, { recursive: true });
  chromium = await startBrowser();
  const real = { triangles: 60_000, pixels: 640 };
  world = await startWorld({
    orders: [
      order(ORTHO, real),
      order(RESTORATIVE, { ...real, kind: 'restorative', mesh: 'ply' }),
      order('17549911', { ...real, kind: 'ortho-base' }),
      order('17555548', { regenerating: 1000 }),
    ],
  });
  for (const id of [ORTHO, RESTORATIVE, '17549911']) await world.published(id);
  await world.story('17555548', (story) => story.state === 'attention');
  await world.fault({ endpoint: 'downloadAsset', order: RUNNING, kind: { slow: { bytes_per_second: 2_000_000 } } });
  await world.scan(order(RUNNING, { triangles: undefined, mesh_bytes: 100_000_000, stored: true, quiet: true }));
});
after(async () => {
  await chromium?.close();
  await world?.close();
});

async function shoot(name, path, prepare = async () => {}, { fullPage = false, ...options } = {}) {
  const opened = await openPage(chromium.browser, world.origin, {
    viewport: { width: 1200, height: 800 }, deviceScaleFactor: 1, reducedMotion: 'reduce', ...options,
  });
  try {
    await opened.page.goto(opened.url(path));
    await prepare(opened.page);
    const file = join(FOLDER, `${name}.png`);
    await opened.page.screenshot({ path: file, fullPage, animations: 'disabled' });
    assert.ok((await stat(file)).size > 5000, `${name} shows something`);
    opened.assertClean();
  } finally {
    await opened.close();
  }
}

const downloading = (page) => on(page).download(RUNNING).locator('.rate', { hasText: '/s' }).waitFor({ timeout: 60_000 });

test('the overview', () => shoot('overview', '/', downloading, { fullPage: true }));

test('the overview, dark', () => shoot('overview-dark', '/', downloading, { fullPage: true, colorScheme: 'dark' }));

test('an order', () => shoot('order', world.pageOf(ORTHO), async (page) => {
  // The scan opens by itself.
  assert.equal(await settled(page), 'ready');
  await picture(page);
}));

test('the scan in 3D', () => shoot('scan-3d', world.pageOf(RESTORATIVE), async (page) => {
  await on(page).viewer.scrollIntoViewIfNeeded();
  assert.equal(await settled(page), 'ready');
  await picture(page);
  await page.locator('#viewer').scrollIntoViewIfNeeded();
  await page.locator('#viewer').evaluate((element) => element.scrollIntoView());
}));

test('a phone', () => shoot('phone', '/', downloading, { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2 }));
