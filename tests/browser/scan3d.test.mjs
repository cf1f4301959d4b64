// The 3D view of orders that came from Align.
import { after, afterEach, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPage, startBrowser } from './lib/browser.mjs';
import { order, startWorld } from './lib/casedrop.mjs';
import { assertNoSidewaysScroll } from './lib/checks.mjs';
import { on } from './lib/pages.mjs';
import { assertDrawn, picture, settled, tool } from './lib/viewer.mjs';

const STL = '17500001';
const PLY = '17500003';

let chromium;
let world;
let opened;

before(async () => {
  chromium = await startBrowser();
  world = await startWorld({
    orders: [
      order(STL, { triangles: 4000 }),
      // Odd numbers have vertex colours, even ones a texture.
      order(PLY, { kind: 'restorative', mesh: 'ply', triangles: 4000 }),
    ],
  });
  await world.published(STL);
  await world.published(PLY);
});
after(async () => {
  await chromium?.close();
  await world?.close();
});
afterEach(() => opened?.close());

async function view(id, options) {
  opened = await openPage(chromium.browser, world.origin, options);
  const { page } = opened;
  await page.goto(opened.url(world.pageOf(id)));
  // It opens as soon as it is on the screen.
  await on(page).viewer.scrollIntoViewIfNeeded();
  assert.equal(await settled(page), 'ready');
  return page;
}

for (const [what, id] of [['an STL order', STL], ['a PLY order', PLY]]) {
  test(`${what} is drawn, each jaw can be switched off, and it has a wireframe`, async () => {
    const page = await view(id);
    const both = await picture(page);
    assertDrawn(both);
    const lower = page.locator('.viewer-bar [data-tool="lower"][aria-pressed="true"]');
    await lower.click();
    const one = await picture(page);
    assertDrawn(one);
    assert.notEqual(one.hash, both.hash);
    await tool(page, 'wireframe').click();
    assert.notEqual((await picture(page)).hash, one.hash);
    opened.assertClean();
  });
}

test('the colours of a PLY order can be switched off', async () => {
  const page = await view(PLY);
  const painted = await picture(page);
  await tool(page, 'colours').click();
  const plain = await picture(page);
  assertDrawn(plain);
  assert.notEqual(plain.hash, painted.hash);
});

for (const [locale, label] of [['en-GB', /^(Upper|Lower) jaw, pre-treatment$/], ['de-DE', /^(Ober|Unter)kiefer, vor der Behandlung$/]]) {
  test(`scans from before the treatment have short words, and all fits a phone, ${locale}`, async () => {
    const page = await view(PLY, { locale, viewport: { width: 360, height: 740 } });
    const buttons = page.locator('.viewer-bar button');
    await buttons.filter({ hasText: label }).first().waitFor();
    for (const text of await buttons.allTextContents()) assert.doesNotMatch(text, /\.ply|#/, 'no file name');
    await assertNoSidewaysScroll(page);
    opened.assertClean();
  });
}
