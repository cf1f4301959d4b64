// The scripts of the live pages, on made-up pages: no agent is needed.
import { after, afterEach, before, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPage, startBrowser, until } from './lib/browser.mjs';
import { BASICS, html, serve } from './lib/static.mjs';

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

/** Opens a page that listens to events. */
async function open(body, { page: pageOptions, ...options } = {}) {
  server.pages['/'] = html(body, pageOptions);
  opened = await openPage(chromium.browser, server.origin, options);
  if (options.at) await opened.page.clock.install({ time: options.at });
  await opened.page.goto(server.origin);
  await until('the page listens', () => server.listeners === 1);
  return opened.page;
}

/** The server now has another page, and announces it. */
function change(body, options) {
  server.pages['/'] = html(body, options);
  server.tell('changed');
}

const row = (order, state = 'ready') =>
  `<tr><td><a href="/orders/lab/4711/${order}">${order}</a></td><td class="state">${state}</td></tr>`;
const table = (...rows) => `<table id="orders" data-live><tbody>${rows.join('')}</tbody></table>`;

test('a change is shown, and nothing else is touched', async () => {
  const page = await open(`<p id="still">before</p>${table(row(1), row(2))}`);
  const first = await page.locator('tr').first().elementHandle();
  change(`<p id="still">after</p>${table(row(1, 'published'), row(2))}`);
  await page.getByText('published').waitFor();
  assert.equal(await page.locator('#still').textContent(), 'before');
  assert.ok(await first.evaluate((element) => element.isConnected), 'the row is the same one');
  opened.assertClean();
});

test('the title and the news are taken over, and the same news is not told twice', async () => {
  const page = await open('<p id="a" data-live>1</p>');
  const news = page.locator('#news');
  const told = (text, title) => html('<p id="a" data-live>2</p>', { title }).replace('polite"></p>', `polite">${text}</p>`);
  server.pages['/'] = told('Order 5 published', 'New');
  server.tell('changed');
  await page.getByText('Order 5 published').waitFor();
  assert.equal(await page.title(), 'New');
  await news.evaluate((element) => { element.textContent = 'something of the page itself'; });
  server.pages['/'] = told('Order 5 published', 'Newer');
  server.tell('changed');
  await page.waitForFunction(() => document.title === 'Newer');
  assert.equal(await news.textContent(), 'something of the page itself');
});

test('the focus stays with its order when another one comes in above it', async () => {
  const page = await open(table(row(1), row(2)));
  await page.getByRole('link', { name: '1' }).focus();
  change(table(row(3), row(1), row(2)));
  await page.getByRole('link', { name: '3' }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), '1');
  change(table(row(2), row(3), row(1)));
  await page.waitForFunction(() => document.querySelector('tr').textContent.startsWith('2'));
  assert.equal(await page.evaluate(() => document.activeElement.textContent), '1');
});

test('the focus does not fall back to the top when its element goes', async () => {
  const page = await open(table(row(1), row(2)));
  await page.getByRole('link', { name: '1' }).focus();
  change(table(row(2)));
  await page.waitForFunction(() => document.querySelectorAll('tr').length === 1);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'orders');
});

test('what a person opened stays open, and what they scrolled stays where it is', async () => {
  const part = (text) => `<section id="part" data-live><details><summary>More</summary>${text}</details>
    <pre id="log" tabindex="0" class="log">${'line\n'.repeat(100)}${text}</pre></section>`;
  server.pages['/test.css'] = () => ({ headers: { 'content-type': 'text/css' }, body: '.log { height: 5rem; overflow: auto; }' });
  const page = await open(part('before'));
  await page.getByText('More').click();
  await page.locator('#log').evaluate((element) => { element.scrollTop = 300; });
  change(part('after'));
  await page.locator('details', { hasText: 'after' }).waitFor();
  assert.ok(await page.locator('details').evaluate((element) => element.open));
  assert.equal(await page.locator('#log').evaluate((element) => element.scrollTop), 300);
});

test('a part with a field that somebody fills in waits until they are done', async () => {
  const part = (text) => `<section id="part" data-live><p>${text}</p><form><input name="q" value=""></form></section>
    <p id="other" data-live>${text}</p><button>elsewhere</button>`;
  const page = await open(part('before'));
  const field = page.locator('input');
  await field.pressSequentially('175');
  change(part('after'));
  await page.locator('#other', { hasText: 'after' }).waitFor();
  assert.equal(await page.locator('#part p').textContent(), 'before');
  assert.equal(await field.inputValue(), '175');
  assert.ok(await field.evaluate((element) => element === document.activeElement));
  await field.fill('');
  await page.getByText('elsewhere').focus();
  await page.locator('#part p', { hasText: 'after' }).waitFor();
});

test('a field that was changed and left is not touched either', async () => {
  const part = (text) => `<section id="part" data-live><p>${text}</p><select>
    <option>any</option><option>ready</option></select></section><p id="other" data-live>${text}</p><button>elsewhere</button>`;
  const page = await open(part('before'));
  await page.locator('select').selectOption('ready');
  await page.getByText('elsewhere').focus();
  change(part('after'));
  await page.locator('#other', { hasText: 'after' }).waitFor();
  assert.equal(await page.locator('#part p').textContent(), 'before');
  assert.equal(await page.locator('select').inputValue(), 'ready');
});

test('many changes at once cost two fetches at the most', async () => {
  const page = await open('<p id="a" data-live>1</p>', { at: '2026-11-24T12:00:00Z' });
  const before = server.count('/');
  for (let number = 2; number < 20; number += 1) change(`<p id="a" data-live>${number}</p>`);
  await page.getByText('19').waitFor();
  assert.ok(server.count('/') - before <= 2, `${server.count('/') - before} fetches`);
});

test('whoever has to log in again is led there', async () => {
  const page = await open('<p id="a" data-live>1</p>');
  server.pages['/'] = { status: 303, headers: { location: '/login?next=%2F' }, body: '' };
  server.pages['/login'] = html('<h1>Log in</h1>', { bodyAttributes: '' });
  server.tell('changed');
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  assert.equal(new URL(page.url()).search, '?next=%2F');
});

test('so is whoever is refused only what is fetched', async () => {
  const page = await open('<p id="a" data-live>1</p>');
  server.pages['/'] = (request) => (request.headers['sec-fetch-mode'] === 'navigate'
    ? { status: 303, headers: { location: '/login?to=%2F' }, body: '' }
    : { status: 401, body: 'sign in first' });
  server.pages['/events'] = { status: 401, body: '' };
  server.pages['/login'] = html('<h1>Log in</h1>', { bodyAttributes: '' });
  server.hangUp();
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
});

test('a lost connection is said, and taken back when it is there again', async () => {
  const page = await open('<p id="a" data-live>1</p>');
  assert.ok(await page.locator('#offline').isHidden());
  server.pages['/events'] = { status: 503, body: '' };
  server.hangUp();
  await page.locator('#offline').waitFor();
  server.pages['/'] = html('<p id="a" data-live>2</p>');
  delete server.pages['/events'];
  await page.locator('#offline').waitFor({ state: 'hidden' });
  await page.getByText('2').waitFor();
});

test('a hidden page rests, and catches up when it is seen again', async () => {
  const page = await open('<p id="a" data-live>1</p>');
  const hide = (is) => page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, is);
  await hide(true);
  await until('it no longer listens', () => server.listeners === 0);
  const before = server.count('/');
  change('<p id="a" data-live>2</p>');
  assert.equal(server.count('/'), before);
  await hide(false);
  await page.getByText('2').waitFor();
  await until('it listens again', () => server.listeners === 1);
});

const WORDS = 'data-events="/events" data-text-of="{done} von {total}" data-text-rate="{amount}/s" data-text-left="noch {time}"';
const download = (order) => `<section id="downloads" data-live><div class="download" data-order="lab/4711/${order}">
  <progress max="100" value="0"></progress><span class="amount"></span><span class="rate"></span></div></section>`;
const running = (order, done, total) => ({ downloads: [{ lab: 'lab', account: '4711', order: String(order), asset: 'IDE', done, total }] });

test('a download shows how much has come, how fast, and how long it takes', async () => {
  const page = await open(download(7), { at: '2026-11-24T12:00:00Z', page: { lang: 'de', bodyAttributes: WORDS } });
  await page.clock.pauseAt('2026-11-24T12:00:10Z');
  const amount = page.locator('.amount');
  const rate = page.locator('.rate');
  // 2 MB per second, reported twice a second.
  for (let half = 0; half <= 6; half += 1) {
    server.tell('progress', running(7, 10_000_000 + half * 1_000_000, 34_500_000));
    await page.getByText(`${10 + half},0`).waitFor();
    await page.clock.runFor(500);
  }
  assert.equal(await amount.textContent(), '16,0\u00a0MB von 34,5\u00a0MB');
  assert.match(await rate.textContent(), /^2,0\u00a0MB\/s, noch 10\sSek\.$/u);
  assert.deepEqual(await page.locator('progress').evaluate(({ value, max }) => [value, max]), [16_000_000, 34_500_000]);
  opened.assertClean();
});

test('without a total the bar shows only that something comes', async () => {
  const page = await open(download(7));
  server.tell('progress', running(7, 1_234_567, null));
  await page.getByText('1.2').waitFor();
  assert.equal(await page.locator('.amount').textContent(), '1.2\u00a0MB');
  assert.ok(!(await page.locator('progress').evaluate((bar) => bar.hasAttribute('value'))));
});

test('a download that the page does not show yet lets it fetch itself, once', async () => {
  const page = await open('<section id="downloads" data-live></section>');
  server.pages['/'] = html(download(7));
  server.tell('progress', running(7, 1_000_000, 2_000_000));
  // What was reported before the element appeared is shown in it.
  await page.locator('.amount', { hasText: '1.0' }).waitFor();
  server.pages['/'] = html('<section id="downloads" data-live>done</section>');
  server.tell('progress', { downloads: [] });
  await page.getByText('done').waitFor();
  const before = server.count('/');
  for (let done = 1; done < 5; done += 1) server.tell('progress', running(8, done, 2_000_000));
  await until('it was fetched', () => server.count('/') === before + 1);
  change('<section id="downloads" data-live>later</section>');
  await page.getByText('later').waitFor();
  assert.equal(server.count('/'), before + 2);
});

test('times are told as the clock on the wall shows them', async () => {
  const time = (id, at, more = '') => `<time id="${id}" datetime="${at}" ${more}>UTC</time>`;
  const page = await open(
    `<p id="a" data-live>${time('today', '2026-11-24T13:05:00Z')} ${time('day', '2026-11-23T23:30:00Z')}
    ${time('earlier', '2026-11-21T13:05:00Z')} ${time('year', '2025-11-24T13:05:00Z')} ${time('no', 'nonsense')}
    ${time('past', '2026-11-24T14:57:00Z', 'data-relative')} ${time('next', '2026-11-24T15:02:00Z', 'data-relative')}
    ${time('now', '2026-11-24T15:00:00Z', 'data-relative')} ${time('exact', '2026-11-24T13:05:09Z', 'data-seconds')}</p>`,
    { at: '2026-11-24T15:00:00Z' },
  );
  const text = (id) => page.locator(`#${id}`).textContent();
  assert.equal(await text('today'), '14:05');
  assert.equal(await text('exact'), '14:05:09');
  assert.equal(await text('day'), '00:30', 'it is today here, though not in UTC');
  assert.equal(await text('earlier'), '21 Nov, 14:05');
  assert.equal(await text('year'), '24 Nov 2025, 14:05');
  assert.equal(await text('no'), 'UTC');
  assert.equal(await text('past'), '3 minutes ago');
  assert.equal(await text('next'), 'in 2 minutes');
  assert.equal(await text('now'), 'now');
  assert.match(await page.locator('#today').getAttribute('title'), /24 November 2026.*14:05:00 CET/);
  await page.clock.runFor(61_000);
  assert.equal(await text('past'), '4 minutes ago');
  change(`<p id="a" data-live>changed ${time('today', '2026-11-24T13:06:00Z')}</p>`);
  await page.clock.runFor(1000);
  await page.getByText('changed').waitFor();
  assert.equal(await text('today'), '14:06', 'what comes later is told so too');
});

test('a copy button copies, says so, and then has its own words again', async () => {
  const page = await open('<button type="button" class="copy" data-copy="C:\\Orders" data-done="Copied">Copy</button>', {
    at: '2026-11-24T12:00:00Z',
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  await page.getByRole('button').click();
  await page.getByRole('button', { name: 'Copied' }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'C:\\Orders');
  assert.equal(await page.locator('#news').textContent(), 'Copied');
  await page.clock.runFor(2500);
  assert.equal(await page.getByRole('button').textContent(), 'Copy');
});

test('where the browser keeps the clipboard closed, the old way is taken', async () => {
  const page = await open('<button type="button" class="copy" data-copy="17544365" data-done="Copied">Copy</button><input id="paste">');
  await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
  await page.getByRole('button').click();
  await page.getByRole('button', { name: 'Copied' }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.localName), 'button');
  await page.locator('#paste').focus();
  await page.keyboard.press('Control+V');
  assert.equal(await page.locator('#paste').inputValue(), '17544365');
  opened.assertClean();
});

test('a form is sent once, and can be sent again after going back', async () => {
  let answer;
  let sent;
  server.pages['/send'] = async (request) => {
    sent = request.url;
    await new Promise((resolve) => { answer = resolve; });
    return html('<h1>Sent</h1>', { bodyAttributes: '' });
  };
  const page = await open('<form id="form" data-once action="/send"><button name="do" value="it">Send</button></form>');
  const button = page.getByRole('button');
  // Playwright cannot query a page that is navigating, so the page reports on its own.
  await page.evaluate(() => {
    const observer = new MutationObserver(() => console.log('disabled'));
    observer.observe(document.querySelector('button'), { attributeFilter: ['disabled'] });
  });
  const disabled = page.waitForEvent('console', (message) => message.text() === 'disabled');
  await button.click({ noWaitAfter: true });
  await disabled;
  await until('it is sent', () => answer);
  assert.equal(sent, '/send?do=it');
  answer();
  await page.getByRole('heading', { name: 'Sent' }).waitFor();
  await page.goBack();
  assert.ok(await button.isEnabled());
  assert.equal(server.count('/send'), 1);
});

test('a filter acts at once, keeps the address and the page, and a date waits until it is typed', async () => {
  const body = (query) => `<form data-at-once="/"><input type="hidden" name="q" value="17">
    <label>State<select name="state"><option value="">all</option><option>held</option></select></label>
    <label>From<input type="date" name="from"></label></form>
    <p id="list" data-live>asked: ${query}</p>`;
  const page = await open(body(''));
  server.pages['/'] = (request) => html(body(request.url.slice(2).replaceAll('&', '+')));
  await page.evaluate(() => { window.neverLeft = true; });
  await page.getByLabel('State').selectOption('held');
  await page.getByText('asked: q=17+state=held').waitFor();
  await page.getByLabel('From').fill('0020-06-01');
  await page.getByLabel('From').fill('2026-06-01');
  await page.getByText('asked: q=17+state=held+from=2026-06-01').waitFor();
  await page.getByLabel('State').selectOption('all');
  await page.getByText('asked: q=17+from=2026-06-01').waitFor();
  assert.equal(new URL(page.url()).search, '?q=17&from=2026-06-01');
  assert.ok(await page.evaluate(() => window.neverLeft));
  opened.assertClean();
});
