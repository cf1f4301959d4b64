// Chromium, and the checks that every page is under.
import { existsSync } from 'node:fs';
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';
import { makeFolder } from './tidy.mjs';

const FLAGS = [
  '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

function executable() {
  const path = process.env.CHROMIUM || '/usr/bin/chromium';
  assert.ok(existsSync(path), `there is no Chromium at ${path}; run .ci/browser.sh install, or set CHROMIUM`);
  return path;
}

/** Starts Chromium with its own profile. `close()` ends it and leaves nothing behind. */
export async function startBrowser({ flags = FLAGS } = {}) {
  const folder = await makeFolder('casedrop-chromium-');
  const browser = await chromium.launch({
    executablePath: executable(),
    args: flags,
    // Run as root, it has no sandbox.
    chromiumSandbox: false,
    // What it leaves outside its profile is removed with the folder.
    env: { ...process.env, HOME: folder.path, TMPDIR: folder.path },
  });
  return {
    browser,
    async close() {
      await browser.close();
      await folder.remove();
    },
  };
}

/**
 * Opens a page in its own context and watches it: `problems` collects console errors, violations of the
 * content policy, requests to other origins, and failed ones. `options` are Playwright's context options.
 */
export async function openPage(browser, origin, options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'Europe/Berlin', ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const problems = [];
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`script: ${error.stack ?? error}`));
  const requests = [];
  page.on('request', (request) => {
    const url = request.url();
    requests.push(url);
    if (!/^(data|blob|about):/.test(url) && new URL(url).origin !== origin) problems.push(`foreign: ${url}`);
  });
  return {
    context,
    page,
    problems,
    requests,
    url: (path) => new URL(path, origin).href,
    assertClean() {
      assert.deepEqual(problems, []);
    },
    close: () => context.close(),
  };
}

/**
 * Asks until the answer (or what it resolves to) is true, and returns it. Only for what takes time
 * outside the page; for the page itself there is `page.waitForFunction`.
 */
export async function until(what, ask, patience = 60_000) {
  const end = Date.now() + patience;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    assert.ok(Date.now() < end, `it did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
