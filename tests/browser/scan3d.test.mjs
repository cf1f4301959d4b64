// The 3D view of orders that came from Align.
import { after, afterEach, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPage, startBrowser } from './lib/browser.mjs';
import { order, startWorld } from './lib/casedrop.mjs';
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

async function view(id) {
  opened = await openPage(chromium.browser, world.origin);
  const { page } = opened;
  await page.goto(opened.url(world.pageOf(id)));
  await on(page).show3d.click();
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
