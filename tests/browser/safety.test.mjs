// Other sites, and programs that pretend to be the page, get nowhere.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { request as rawRequest } from 'node:http';
import { openPage, startBrowser, until } from './lib/browser.mjs';
import { order, startWorld } from './lib/casedrop.mjs';
import { allPages, CSRF_FIELD, on } from './lib/pages.mjs';
import { serve } from './lib/static.mjs';

const ID = '17500001';

let chromium;
let world;

before(async () => {
  chromium = await startBrowser();
  world = await startWorld({ orders: [order(ID)] });
  await world.published(ID);
});
after(async () => {
  await chromium?.close();
  await world?.close();
});

/** Sends a request with any headers (fetch would set some itself). Returns status, headers and body. */
function ask(method, path, headers = {}, body = '') {
  return new Promise((resolve, reject) => {
    const asked = rawRequest(`${world.origin}${path}`, { method, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part) => { text += part; });
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

/** The cookie and hidden fields of the page's form that refetches the order. */
async function form() {
  const page = await ask('GET', world.pageOf(ID), { accept: 'text/html' });
  const cookie = [page.headers['set-cookie'] ?? []].flat().map((one) => one.split(';')[0]).join('; ');
  const inner = page.text.match(/<form[^>]*\/refetch"[^>]*>([\s\S]*?)<\/form>/)[1];
  const fields = [...inner.matchAll(/name="(\w+)" value="([^"]*)"/g)].map(([, name, value]) => [name, value]);
  return { cookie, fields: Object.fromEntries(fields) };
}

async function send({ cookie, fields }, headers = {}) {
  const body = new URLSearchParams(fields).toString();
  const type = 'application/x-www-form-urlencoded';
  return ask('POST', `${world.pageOf(ID)}/refetch`, {
    'content-type': type, 'content-length': Buffer.byteLength(body), cookie, ...headers,
  }, body);
}

let later = 17500100;

/** Asserts the number of downloads. A refetch would start before the later order, which is awaited. */
async function assertFetched(times) {
  later += 1;
  await world.scan(order(later));
  await world.published(later);
  assert.equal(await world.downloads(ID), times);
}

test('the form that the following tests break works', async () => {
  const before = await world.downloads(ID);
  const answer = await send(await form(), { origin: world.origin });
  assert.equal(answer.status, 303);
  await until('it was fetched', async () => (await world.downloads(ID)) > before);
});

test('no page answers under the name of another site', async () => {
  for (const host of ['evil.example', 'evil.example:8780', '127.0.0.1.evil.example', 'localhost.evil.example']) {
    for (const path of [...Object.values(allPages(ID)), '/events', '/metrics', '/assets/app.js']) {
      const { status, text } = await ask('GET', path, { host });
      assert.ok(status >= 400 && status < 500, `${path} for ${host}: ${status}`);
      assert.ok(!text.includes(ID), `${path} for ${host} tells nothing`);
    }
  }
});

test('a form from another site is refused, and nothing happens', async () => {
  const before = await world.downloads(ID);
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: world.origin.replace(/\d+$/, '1') },
    { 'sec-fetch-site': 'cross-site' },
  ]) {
    const { status } = await send(await form(), headers);
    assert.equal(status, 403, JSON.stringify(headers));
  }
  await assertFetched(before);
});

test('a form without its token, or with another one, is refused, and nothing happens', async () => {
  const before = await world.downloads(ID);
  const other = await form();
  const broken = {
    'no token': (fields) => delete fields[CSRF_FIELD],
    'an empty token': (fields) => { fields[CSRF_FIELD] = ''; },
    'a wrong token': (fields) => { fields[CSRF_FIELD] = fields[CSRF_FIELD].replace(/^./, (first) => (first === 'A' ? 'B' : 'A')); },
    "another visitor's token": (fields) => { fields[CSRF_FIELD] = other.fields[CSRF_FIELD]; },
  };
  for (const [what, breaks] of Object.entries(broken)) {
    const own = await form();
    breaks(own.fields);
    const { status } = await send(own, { origin: world.origin });
    assert.equal(status, 403, what);
  }
  const own = await form();
  assert.equal((await send({ ...own, cookie: '' }, { origin: world.origin })).status, 403, 'no cookie');
  await assertFetched(before);
});

test('a form that is sent twice is carried out once', async () => {
  const own = await form();
  const before = await world.downloads(ID);
  const first = await send(own, { origin: world.origin });
  const second = await send(own, { origin: world.origin });
  assert.deepEqual([first.status, second.status], [303, 303]);
  await until('it was fetched', async () => (await world.downloads(ID)) > before);
  await assertFetched(before + 1);
});

test('a page of another site can neither act here, nor look, nor frame the page', async () => {
  const site = await serve({});
  const before = await world.downloads(ID);
  // The other site has no policy of its own that would get in its way.
  site.pages['/'] = () => ({
    headers: { 'content-security-policy': '' },
    body: `<!doctype html><form method="post" action="${world.origin}${world.pageOf(ID)}/refetch">
      <input name="id" value="page-made-up"><input name="csrf" value="x"><button>Win a prize</button></form>
      <iframe src="${world.origin}/"></iframe>`,
  });
  const opened = await openPage(chromium.browser, site.origin);
  try {
    // A visitor of the status page, with its cookie.
    await opened.page.goto(world.origin);
    await opened.page.goto(`${site.origin}/`);
    const looks = await opened.page.evaluate((url) => fetch(url, { credentials: 'include' }).then((answer) => answer.text(), () => 'refused'), `${world.origin}/orders`);
    assert.equal(looks, 'refused');
    const frame = opened.page.frames().find((one) => one !== opened.page.mainFrame());
    assert.equal(await on(frame).lab.count(), 0);
    const [answer] = await Promise.all([
      opened.page.waitForResponse((response) => response.url().endsWith('/refetch')),
      opened.page.getByRole('button').click(),
    ]);
    assert.equal(answer.status(), 403);
    await assertFetched(before);
  } finally {
    await opened.close();
    await site.close();
  }
});
