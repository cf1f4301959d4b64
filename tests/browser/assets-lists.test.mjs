// The look of the header and the lists, on made-up pages with the product's styles: no agent is needed.
import { after, afterEach, before, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPage, startBrowser } from './lib/browser.mjs';
import { assertWholeWords, assertNoSidewaysScroll } from './lib/checks.mjs';
import { html, serve } from './lib/static.mjs';

let chromium;
let server;
let opened;

before(async () => {
  chromium = await startBrowser();
});
after(() => chromium.close());
beforeEach(async () => {
  server = await serve({});
});
afterEach(async () => {
  await opened?.close();
  opened = undefined;
  await server.close();
});

const MENU = ['Übersicht', 'Aufträge', 'Diagnose', 'Einrichtung'];
const header = (here) => `<header><a class="brand" href="/">Casedrop</a><nav aria-label="Seiten"><ul>${MENU.map((name) =>
  `<li><a href="/"${name === here ? ' aria-current="page"' : ''}>${name}</a></li>`).join('')}</ul></nav>
  <form class="find" role="search"><input type="search" name="q" placeholder="Nummer, Code, Labor, Konto, Falltyp"><button>Suchen</button></form>
  <div class="corner"><a href="/">English</a><form><button class="plain">Abmelden</button></form></div></header>`;

const ROW = `<tr><th scope="row"><a href="/">17555602</a> <span class="muted">VT2CINMZ</span></th>
  <td data-label="Zustand" class="states"><span class="badge warn">braucht Aufmerksamkeit</span> <span class="badge warn">unvollständig</span>
  <span class="why">Align has not finished preparing the files of order 17555602, and that has lasted longer than it should by now.</span></td>
  <td data-label="Falltyp" class="words">Restaurativ Verblendkronenversorgung</td>
  <td data-label="Labor" class="words">zahntechnik-mueller <span class="muted">4711</span></td>
  <td data-label="Revision">r12</td><td data-label="Abgelegt"><time>24. Nov. 2025, 14:05</time></td>
  <td data-label="Zuletzt aktualisiert"><time>24. Nov. 2025, 14:05</time></td></tr>`;
const HEADS = ['Auftrag', 'Zustand', 'Falltyp', 'Labor', 'Revision', 'Abgelegt', 'Zuletzt aktualisiert'];
const TABLE = `<section><div class="scroll"><table class="stack orders"><thead><tr>${HEADS.map((head) =>
  `<th scope="col"><a href="/">${head}</a></th>`).join('')}</tr></thead><tbody>${ROW.repeat(5)}</tbody></table></div></section>`;

async function open(body, here, options) {
  const styles = '<link rel="stylesheet" href="/assets/style.css"><link rel="stylesheet" href="/assets/pages.css">';
  const page = html(body, { lang: 'de', bodyAttributes: '' }).replace('<link rel="stylesheet" href="/test.css">', styles);
  server.pages['/'] = page.replace('<p id="news"', `${header(here)}<p id="news"`).replace('<p id="offline"', '<p id="offline" class="note warn"');
  opened = await openPage(chromium.browser, server.origin, options);
  await opened.page.goto(server.origin);
  return opened.page;
}

test('the list breaks no word, number and code are on one line, and the whole table is in sight at 1280 px', async () => {
  const page = await open(TABLE, 'Aufträge', { viewport: { width: 1280, height: 800 } });
  await assertWholeWords(page);
  await assertNoSidewaysScroll(page);
  const { table, room, row } = await page.evaluate(() => ({
    table: document.querySelector('table').scrollWidth,
    room: document.querySelector('.scroll').clientWidth,
    row: document.querySelector('tbody tr').getBoundingClientRect().height,
  }));
  assert.ok(table <= room, `${table} px in ${room} px`);
  assert.ok(row < 100, `a row is ${row} px high`);
});

for (const width of [360, 700, 800, 1000]) {
  test(`the header and the list fit ${width} px`, async () => {
    const page = await open(TABLE, 'Aufträge', { viewport: { width, height: 740 } });
    await assertNoSidewaysScroll(page);
  });
}

test('the menu does not move, whichever page is the current one and however long it is', async () => {
  const places = [];
  for (const here of MENU) {
    const page = await open(here === 'Aufträge' ? TABLE.repeat(20) : '<p>short</p>', here, { viewport: { width: 1280, height: 800 } });
    places.push(JSON.stringify(await page.locator('header nav li').last().boundingBox()));
    await opened.close();
  }
  assert.equal(new Set(places).size, 1, places.join(' '));
});

test('the notice of a lost connection stays in sight', async () => {
  const page = await open('<p>line</p>'.repeat(300), 'Aufträge');
  await page.evaluate(() => {
    document.getElementById('offline').hidden = false;
    scrollTo(0, document.body.scrollHeight);
  });
  const { y } = await page.locator('#offline').boundingBox();
  assert.ok(y >= 0 && y < 700, `at ${y}`);
});

test('fields and buttons of a row of filters are equally high', async () => {
  const page = await open(`<form class="filter"><label>Zustand<select><option>alle</option></select></label>
    <label>Ab<input type="date"></label><button>Anzeigen</button></form>`, 'Aufträge');
  const heights = await page.locator('.filter :is(select, input, button)').evaluateAll((all) => all.map((one) => one.offsetHeight));
  assert.equal(new Set(heights).size, 1, heights.join(' '));
});
