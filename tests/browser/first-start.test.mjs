// From a PC on which nobody has filled in anything to the first order in its folder, using only a browser.
import { after, afterEach, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openPage, startBrowser, until } from './lib/browser.mjs';
import { LAB, order, startWorld } from './lib/casedrop.mjs';
import { assertAccessible, assertNoSidewaysScroll } from './lib/checks.mjs';
import { on } from './lib/pages.mjs';

const ORDER = 17500002;

let chromium;
let world;
let opened;

before(async () => {
  chromium = await startBrowser();
  world = await startWorld({ fresh: true, orders: [order(ORDER)] });
});
after(async () => {
  await chromium?.close();
  await world?.close();
});
afterEach(() => opened?.close());

test('without a config the page asks for what Align gave the lab, and the first order comes', async () => {
  opened = await openPage(chromium.browser, world.origin);
  const { page } = opened;
  const seen = on(page);
  await page.goto(world.origin);
  await page.waitForURL('**/welcome');
  await assertAccessible(page);

  // The form comes with the code only.
  assert.equal(await seen.save.count(), 0);
  await seen.code.fill('AAAA-AAAA');
  await seen.enterCode.click();
  await page.getByRole('alert').getByText('Wrong code').waitFor();
  const code = (await readFile(world.path('state', 'set-up-code.txt'), 'utf8')).trim();
  await seen.code.fill(code);
  await seen.enterCode.click();
  await seen.save.waitFor();
  await assertAccessible(page);
  await page.setViewportSize({ width: 360, height: 740 });
  await assertNoSidewaysScroll(page);
  await page.setViewportSize({ width: 1280, height: 900 });

  // A value is checked while it is typed.
  const base = seen.value('Base URL');
  await base.fill('https://evil.example');
  await seen.saidOf('base_url').getByText('evil.example').waitFor();
  assert.equal(await base.getAttribute('aria-invalid'), 'true');
  assert.equal(await seen.saidOf('client_id').textContent(), '', 'nothing is called missing too early');

  // A pasted letter fills in the fields.
  const { oauth_base, base_url, client_id, client_secret, redirect_url } = world.values;
  await seen.paste.fill([
    `oauthBase: ${oauth_base}`, `baseUrl: "${base_url}",`, `Client ID = ${client_id}`, 'Client secret', client_secret,
    `Redirect URL\t${redirect_url}`,
  ].join('\n'));
  await seen.saidOf('base_url').getByText('OK').waitFor();
  assert.equal(await base.inputValue(), base_url);
  assert.equal(await base.getAttribute('aria-invalid'), null);
  assert.equal(await seen.value('Client secret').inputValue(), client_secret);
  assert.equal(await seen.paste.inputValue(), '', 'the secret does not stay legible');
  const folder = world.path('chosen');
  await seen.otherFolder.fill(folder);
  await seen.saidOf('output').getByText('OK').waitFor();
  await seen.save.click();

  // The agent starts, and the set-up goes on with the login: one click, and the browser comes back.
  await page.locator('#step-login[aria-current="step"]').waitFor({ timeout: 60_000 });
  assert.equal(await seen.code.count(), 0);
  await seen.beginLogin.click();
  await page.waitForURL(`${world.origin}/welcome`, { timeout: 60_000 });
  await seen.step('login').getByText('✓').waitFor({ timeout: 30_000 });
  assert.equal(await seen.answer.count(), 0);
  await seen.publishTest.click({ timeout: 60_000 });
  await seen.allSet.waitFor({ timeout: 60_000 });

  await until('the first order is published', async () => {
    const names = await readdir(join(folder, LAB), { recursive: true }).catch(() => []);
    return names.some((name) => name.endsWith(join(String(ORDER), 'manifest.json')));
  });
  const config = await readFile(world.path('casedrop.yaml'), 'utf8');
  assert.ok(config.includes('# --- Labs'), 'the comments are there');
  assert.ok(!config.includes(client_secret), 'the secret is not');
  // The login page is another origin, and nobody answers while the agent starts.
  const expected = /^foreign: |status of (403|503)|ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING)/;
  assert.deepEqual(opened.problems.filter((problem) => !expected.test(problem)), []);
});
