// From an agent that is not set up to the first order in its folder, using only a browser.
import { after, afterEach, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openPage, startBrowser, until } from './lib/browser.mjs';
import { order, startWorld } from './lib/casedrop.mjs';
import { on } from './lib/pages.mjs';

const ORDER = 17500001;

let chromium;
let world;
let opened;

before(async () => {
  chromium = await startBrowser();
  // An order is ready before anyone logs in: it must be published in the chosen folder only.
  world = await startWorld({ loggedIn: false, orders: [order(ORDER)] });
});
after(async () => {
  await chromium?.close();
  await world?.close();
});
afterEach(() => opened?.close());

/** All manifests below a folder. */
async function manifests(folder) {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const found = names.filter((name) => name.endsWith('manifest.json'));
  return Promise.all(found.map(async (name) => JSON.parse(await readFile(join(folder, name), 'utf8'))));
}

test('the first start leads from the login to a published order', async () => {
  opened = await openPage(chromium.browser, world.origin);
  const { page } = opened;
  const seen = on(page);

  // A PC that is not set up shows the set-up first.
  await page.goto(world.origin);
  await page.waitForURL('**/welcome*');

  // Not everyone at this PC may decide where orders go: nothing can be changed without the code.
  await page.locator('#step-folder[aria-current="step"]').waitFor();
  assert.equal(await seen.useFolder.count(), 0);
  assert.equal(await seen.beginLogin.count(), 0);
  await seen.code.fill('AAAA-AAAA');
  await seen.enterCode.click();
  await page.getByRole('alert').getByText('Wrong code').waitFor();
  const code = (await readFile(world.path('state', 'set-up-code.txt'), 'utf8')).trim();
  await seen.code.fill(code.toLowerCase());
  await seen.enterCode.click();
  await page.locator('#set-up-code').waitFor({ state: 'detached' });

  // Choose the folder.
  const folder = world.path('chosen');
  await seen.otherFolder.fill(folder);
  await seen.useFolder.click();

  // The agent restarts to work there, and the page waits for it.
  await page.locator('#step-login[aria-current="step"]').waitFor({ timeout: 60_000 });

  // The code was entered in this browser, and its choice restarted the agent: it is not asked for again.
  assert.equal(await seen.code.count(), 0);

  // Log in with one click: the simulated Align needs none, and sends the browser back to the agent, which
  // leads it to the set-up again.
  await seen.beginLogin.click();
  await page.waitForURL(/\/callback/, { timeout: 30_000 });
  await page.waitForURL(`${world.origin}/welcome`, { timeout: 30_000 });

  // The page continues on its own. With a single account there may be nothing to choose.
  await seen.step('login').getByText('✓').waitFor({ timeout: 30_000 });
  if (await seen.chooseAccount.isVisible()) {
    await seen.chooseAccount.click();
    if (await seen.useAccount.isVisible()) {
      await seen.accountChoice('4711').check();
      await seen.useAccount.click();
    }
  }

  // Publish the test order, next to the orders that are already arriving.
  await seen.publishTest.click({ timeout: 60_000 });
  await seen.allSet.waitFor({ timeout: 60_000 });

  // Another browser needs a new code: the first one is used up.
  const stranger = await chromium.browser.newContext({ locale: 'de-DE' });
  const other = await stranger.newPage();
  await other.goto(`${world.origin}/welcome`);
  assert.equal(await other.locator('form[action="/welcome/folder"], form[action$="/pair"]').count(), 0);
  assert.notEqual((await readFile(world.path('state', 'set-up-code.txt'), 'utf8')).trim(), code);
  await stranger.close();

  // Both are in the chosen folder, and nothing is in the other one.
  const published = async (id) => (await manifests(folder)).some((manifest) => manifest.order_id === String(id));
  await until('the test order is published', () => published('TEST-1'));
  await until('the first order is published', () => published(ORDER));
  assert.deepEqual(await manifests(world.path('orders')), []);
  // The login page is another origin, and the agent does not answer while it restarts.
  // A wrong code is answered with 403, which browsers log on their console.
  const expected = /^foreign: |status of 403|ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING)/;
  assert.deepEqual(opened.problems.filter((problem) => !expected.test(problem)), []);
});
