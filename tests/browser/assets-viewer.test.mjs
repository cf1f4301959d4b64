// The 3D view on made-up pages: no agent is needed.
import { after, afterEach, before, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPage, startBrowser, until } from './lib/browser.mjs';
import { assertAccessible, assertFocusSeen, assertNoSidewaysScroll } from './lib/checks.mjs';
import { lower, painted, ply, stl, stlText, upper } from './lib/meshes.mjs';
import { BASICS, html, serve } from './lib/static.mjs';
import { assertDrawn, picture, settled, tool } from './lib/viewer.mjs';

const WORDS = {
  loading: 'Loading …', failed: 'Cannot be shown', upper: 'Upper jaw', lower: 'Lower jaw',
  wireframe: 'Wireframe', colours: 'Colours', reset: 'Reset', front: 'Front', left: 'Left', right: 'Right',
  top: 'Top', bottom: 'Bottom', close: 'Close', 'webgl-missing': 'This browser shows no 3D.', hint: 'Arrow keys turn the scan.',
};

let chromium;
let server;
let opened;

before(async () => {
  chromium = await startBrowser();
});
after(() => chromium.close());
beforeEach(async () => {
  server = await serve({ ...BASICS });
});
afterEach(async () => {
  await opened?.close();
  opened = undefined;
  await server.close();
});

/** A page with these files, each given as [name, jaw, bytes] and more of what the server says of it. */
function section(files, attributes = '') {
  const meshes = files.map(([name, jaw, bytes, more]) => {
    server.pages[`/files/${name}`] = bytes;
    return { name, label: WORDS[jaw] ?? name, url: `/files/${name}`, jaw, format: name.split('.').pop(), bytes: bytes.length || 1000, ...more };
  });
  const words = Object.entries(WORDS).map(([name, text]) => `data-text-${name}="${text}"`).join(' ');
  return `<h1>Order</h1><section id="viewer" ${attributes} data-meshes='${JSON.stringify(meshes)}' ${words}>
    <button type="button" class="view3d" data-viewer="/assets/viewer.js">3D view</button><div class="stage"></div></section>`;
}

const usual = () => [['u.stl', 'upper', stl(upper())], ['l.stl', 'lower', stl(lower())]];

async function open(files, options = {}) {
  server.pages['/'] = html(section(files), { title: 'Order' });
  opened = await openPage(chromium.browser, server.origin, options);
  await options.prepare?.(opened.page);
  await opened.page.goto(server.origin);
  return opened.page;
}

async function view(files, options) {
  const page = await open(files, options);
  await page.getByRole('button', { name: '3D view' }).click();
  assert.equal(await settled(page), 'ready');
  return page;
}

const hasFocus = (locator) => locator.evaluate((element) => element === document.activeElement);

test('nothing of the view is loaded before somebody asks for it', async () => {
  const page = await open(usual());
  await page.waitForLoadState('networkidle');
  const early = opened.requests.filter((url) => /viewer\.js|scene\.js|three\.js|\.stl/.test(url));
  assert.deepEqual(early, []);
});

test('where it opens by itself, it does so once it is on the screen, and takes no focus', async () => {
  const page = await open(usual());
  server.pages['/'] = html(`<div id="far" tabindex="-1">.</div>${'<p>…</p>'.repeat(100)}${section(usual(), 'data-auto')}`);
  await page.reload();
  await page.waitForLoadState('networkidle');
  assert.ok(!opened.requests.some((url) => url.endsWith('three.js')), 'nothing is loaded before');
  await page.locator('#far').focus();
  await page.locator('#viewer').scrollIntoViewIfNeeded();
  assert.equal(await settled(page), 'ready');
  assertDrawn(await picture(page));
  assert.ok(await hasFocus(page.locator('#far')));
  await tool(page, 'close').click();
  await page.evaluate(() => scrollTo(0, 0));
  await page.locator('#viewer').scrollIntoViewIfNeeded();
  await page.getByRole('button', { name: '3D view' }).waitFor();
  assert.equal(await page.locator('#viewer').getAttribute('data-state'), null, 'what was closed stays closed');
  opened.assertClean();
});

test('the inside of a scan is duller than its outside', async () => {
  for (const bytes of [stl(upper()), ply(upper(), painted)]) {
    const page = await view([[bytes.subarray(0, 3).toString() === 'ply' ? 'u.ply' : 'u.stl', 'upper', bytes]]);
    await tool(page, 'top').click();
    const outside = await picture(page);
    await tool(page, 'bottom').click();
    const inside = await picture(page);
    assertDrawn(inside);
    assert.ok(inside.light < outside.light * 0.75, `${inside.light} is darker than ${outside.light}`);
    await opened.close();
  }
});

test('both jaws of an STL pair are drawn, and each can be switched off', async () => {
  const page = await view(usual());
  const both = await picture(page);
  assertDrawn(both);
  assert.equal(await page.locator('#viewer').getAttribute('data-triangles'), String(2 * upper().length));
  await tool(page, 'lower').click();
  assert.equal(await tool(page, 'lower').getAttribute('aria-pressed'), 'false');
  const one = await picture(page);
  assertDrawn(one);
  assert.ok(one.covered < both.covered * 0.8, 'the lower jaw is gone');
  await tool(page, 'upper').click();
  assert.equal((await picture(page)).covered, 0, 'nothing is left');
  await tool(page, 'lower').click();
  await tool(page, 'upper').click();
  assert.equal((await picture(page)).hash, both.hash, 'all is there again');
  opened.assertClean();
});

test('wireframe and each direction give another picture', async () => {
  const page = await view(usual());
  const hashes = [(await picture(page)).hash];
  for (const name of ['wireframe', 'front', 'left', 'right', 'top', 'bottom']) {
    await tool(page, name).click();
    const seen = await picture(page);
    assert.ok(seen.covered > 0, `${name} shows something`);
    hashes.push(seen.hash);
  }
  assert.equal(new Set(hashes).size, hashes.length, 'all pictures differ');
  await tool(page, 'wireframe').click();
  await tool(page, 'reset').click();
  assert.equal((await picture(page)).hash, hashes[0], 'reset shows the first picture again');
});

test('front, left and right are those of the patient, wherever the vendor puts them', async () => {
  const turned = ([x, y, z]) => [z, -x, -y];
  const page = await view(usual());
  await tool(page, 'front').click();
  const front = await picture(page);
  await opened.close();
  const other = await view([['u.stl', 'upper', stl(upper({ axes: turned }))], ['l.stl', 'lower', stl(lower({ axes: turned }))]]);
  await tool(other, 'front').click();
  const same = await picture(other);
  assert.ok(Math.abs(front.covered - same.covered) < 0.005, `${front.covered} is about ${same.covered}`);
  assert.ok(Math.abs(front.warmth - same.warmth) < 1, `${front.warmth} is about ${same.warmth}`);
});

test('colours of a PLY are shown, and can be switched off', async () => {
  const page = await view([['u.ply', 'upper', ply(upper(), painted)], ['l.ply', 'lower', ply(lower(), painted)]]);
  const painting = await picture(page);
  assertDrawn(painting);
  await tool(page, 'colours').click();
  const plain = await picture(page);
  assertDrawn(plain);
  assert.ok(painting.warmth > plain.warmth + 10, `${painting.warmth} is warmer than ${plain.warmth}`);
  opened.assertClean();
});

test('without colours there is no button for them', async () => {
  const page = await view([['u.ply', 'upper', ply(upper())]]);
  assertDrawn(await picture(page));
  assert.ok(await tool(page, 'colours').isHidden());
});

test('an STL as text, and one with both jaws, are drawn', async () => {
  const page = await view([['ul.stl', 'other', stlText([...upper(), ...lower()])]]);
  assertDrawn(await picture(page));
  assert.equal(await page.locator('#viewer').getAttribute('data-triangles'), String(2 * upper().length));
});

test('further meshes, such as those before the treatment, are fetched when somebody wants to see them', async () => {
  const more = { label: 'Upper jaw, pre-treatment', further: true };
  const page = await view([['a pretreatment.stl', 'upper', stl(upper({ height: 9 })), more], ...usual()]);
  const path = '/files/a%20pretreatment.stl';
  server.pages[path] = server.pages['/files/a pretreatment.stl'];
  assert.equal(server.count(path), 0);
  const first = await picture(page);
  const further = tool(page, 'upper').nth(1);
  assert.equal(await further.getAttribute('aria-pressed'), 'false');
  assert.equal(await further.textContent(), 'Upper jaw, pre-treatment');
  assert.equal(await further.getAttribute('title'), 'a pretreatment.stl');
  await further.click();
  await page.locator('[data-tool="upper"][aria-pressed="true"]', { hasText: 'pre-treatment' }).waitFor();
  assert.equal(server.count(path), 1);
  assert.notEqual((await picture(page)).hash, first.hash);
  await further.click();
  assert.equal((await picture(page)).hash, first.hash);
});

test('the keyboard turns, moves and zooms, and the page does not scroll along', async () => {
  const page = await view(usual());
  const stage = page.locator('.stage');
  await stage.focus();
  const start = await picture(page);
  let last = start.hash;
  for (const key of ['ArrowLeft', 'ArrowUp', 'Shift+ArrowRight', '+', '-', 'ArrowDown']) {
    await page.keyboard.press(key);
    const seen = await picture(page);
    assert.notEqual(seen.hash, last, `${key} changes the picture`);
    last = seen.hash;
  }
  await page.keyboard.press('0');
  assert.equal((await picture(page)).hash, start.hash);
  await page.keyboard.press('+');
  assert.ok((await picture(page)).covered > start.covered, '+ comes nearer');
  assert.equal(await page.evaluate(() => scrollY), 0);
  await page.keyboard.press('Shift+Tab');
  assert.match(await assertFocusSeen(page), /Close/);
  await page.keyboard.press('Tab');
  await assertFocusSeen(page);
  await page.keyboard.press('Escape');
  assert.match(await assertFocusSeen(page), /3D view/);
});

test('the mouse turns and zooms', async () => {
  const page = await view(usual());
  const start = await picture(page);
  const box = await page.locator('.stage').boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + 80, y + 20);
  await page.mouse.up();
  const turned = await picture(page);
  assert.notEqual(turned.hash, start.hash);
  await page.mouse.wheel(0, -300);
  assert.ok((await picture(page)).covered > turned.covered, 'the wheel comes nearer');
});

test('nothing is drawn while nothing changes', async () => {
  const page = await view(usual(), {
    prepare: (one) => one.addInitScript(() => {
      const usualOne = window.requestAnimationFrame;
      window.frames3d = 0;
      window.requestAnimationFrame = (act) => {
        window.frames3d += 1;
        return usualOne(act);
      };
    }),
  });
  await picture(page);
  const [before, after_] = await page.evaluate(async () => {
    const before_ = window.frames3d;
    for (let frame = 0; frame < 10; frame += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
    return [before_, window.frames3d];
  });
  assert.equal(after_ - before, 10, 'only the frames that this test asked for');
});

test('closing gives everything back, and it can be opened again', async () => {
  const page = await view(usual());
  const first = await picture(page);
  await page.evaluate(() => {
    window.context3d = document.querySelector('.stage canvas').getContext('webgl2');
  });
  await tool(page, 'close').click();
  assert.equal(await page.locator('canvas, .viewer-bar, .viewer-hint').count(), 0);
  assert.equal(await page.locator('#viewer').getAttribute('data-state'), null);
  assert.ok(await page.evaluate(() => window.context3d.isContextLost()), 'the graphics memory is free');
  assert.ok(await hasFocus(page.getByRole('button', { name: '3D view' })));
  await page.getByRole('button', { name: '3D view' }).click();
  assert.equal(await settled(page), 'ready');
  assert.equal((await picture(page)).hash, first.hash);
  opened.assertClean();
});

test('while it loads, it tells how far it is, and can be closed', async () => {
  const bytes = stl(upper());
  let more;
  const slow = (request, response) => {
    response.writeHead(200, { 'content-length': bytes.length });
    response.write(bytes.subarray(0, 5000));
    more = () => response.end(bytes.subarray(5000));
    return new Promise((resolve) => response.on('close', resolve));
  };
  const page = await open([['u.stl', 'upper', slow]]);
  const opener = page.getByRole('button', { name: '3D view' });
  await opener.click();
  await page.getByText('Loading … 5.0 kB').waitFor();
  assert.equal(await page.locator('#viewer').getAttribute('data-state'), 'loading');
  await tool(page, 'close').click();
  await opener.waitFor();
  more = undefined;
  await opener.click();
  await until('it is asked for again', () => more);
  more();
  assert.equal(await settled(page), 'ready');
});

test('a file that is none is named, and the other jaw is shown', async () => {
  const page = await view([['u.stl', 'upper', stl(upper())], ['l.stl', 'lower', stl(lower()).subarray(0, 3000)]]);
  await page.getByText('Cannot be shown: l.stl.').waitFor();
  assertDrawn(await picture(page));
  assert.equal(await page.locator('#viewer').getAttribute('data-triangles'), String(upper().length));
});

for (const [what, name, answer] of [
  ['a web page', 'u.stl', '<!doctype html><p>Something else'],
  ['an empty file', 'u.stl', Buffer.alloc(0)],
  ['a mesh without triangles', 'u.stl', stl([])],
  ['a PLY without faces', 'u.ply', ply([])],
  ['a PLY that ends early', 'u.ply', ply(upper()).subarray(0, 2000)],
  ['coordinates that are no numbers', 'u.stl', stl([[[0, 0, 0], [1, Number.NaN, 0], [0, 1, 0]]])],
  ['a file that is gone', 'u.stl', () => ({ status: 404, body: 'gone' })],
  ['a login page', 'u.stl', () => ({ status: 303, headers: { location: '/' }, body: '' })],
]) {
  test(`${what} instead of a scan is said, and leaves the page usable`, async () => {
    const page = await open([[name, 'upper', answer]]);
    await page.getByRole('button', { name: '3D view' }).click();
    assert.equal(await settled(page), 'failed');
    await page.getByText(`Cannot be shown: ${name}.`).waitFor();
    await tool(page, 'close').click();
    assert.ok(await hasFocus(page.getByRole('button', { name: '3D view' })));
  });
}

test('a browser without WebGL says so', async () => {
  const page = await open(usual(), {
    prepare: (one) => one.addInitScript(() => {
      HTMLCanvasElement.prototype.getContext = () => null;
    }),
  });
  await page.getByRole('button', { name: '3D view' }).click();
  assert.equal(await settled(page), 'failed');
  await page.getByText('This browser shows no 3D.').waitFor();
  opened.assertClean();
});

test('an open view survives changes of the page around it', async () => {
  const page = await open(usual());
  const around = (text) => html(`<div id="order" data-live><p>${text}</p>${section(text === 'r1' ? usual() : [['new.stl', 'upper', stl(upper())]])}</div>`);
  server.pages['/'] = around('r1');
  await page.reload();
  await page.getByRole('button', { name: '3D view' }).click();
  assert.equal(await settled(page), 'ready');
  const first = await picture(page);
  await until('the page listens', () => server.listeners === 1);
  server.pages['/'] = around('r2');
  server.tell('changed');
  await page.getByText('r2').waitFor();
  assert.equal((await picture(page)).hash, first.hash);
});

for (const colorScheme of ['light', 'dark']) {
  test(`the view is accessible in ${colorScheme} and fits a phone`, async () => {
    const page = await view([['u.ply', 'upper', ply(upper(), painted)], ...usual().slice(1)], {
      colorScheme, viewport: { width: 360, height: 740 },
    });
    await assertAccessible(page);
    await assertNoSidewaysScroll(page);
    assertDrawn(await picture(page));
    opened.assertClean();
  });
}
