// What every page has to comply with.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Asserts that axe-core finds no serious or critical fault. `rules` limits the check to these. */
export async function assertAccessible(page, rules) {
  // The page's policy allows only its own scripts, but the debugger may run others.
  await page.evaluate(axe);
  const found = await page.evaluate(async (only) => {
    const options = { resultTypes: ['violations'], ...(only && { runOnly: { type: 'rule', values: only } }) };
    const { violations } = await window.axe.run(document, options);
    return violations.map(({ id, impact, help, nodes }) => ({
      id, impact, help, where: nodes.map((node) => `${node.target.join(' ')}: ${node.failureSummary}`),
    }));
  }, rules);
  const serious = found.filter(({ impact }) => ['serious', 'critical'].includes(impact));
  assert.deepEqual(serious, [], `${page.url()}: faults found by axe-core`);
}

/** Asserts that nothing is wider than the window. */
export async function assertNoSidewaysScroll(page) {
  const wide = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    // An element with its own scroll bar may be as wide as it likes.
    const scrolls = (element) => element
      && (['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
    const causes = [...document.body.querySelectorAll('*')]
      .filter((element) => element.getBoundingClientRect().right > clientWidth + 0.5 && !scrolls(element.parentElement))
      .map((element) => `${element.localName}#${element.id}.${element.className}: ${element.textContent.trim().slice(0, 40)}`);
    return [`${scrollWidth} px in a window of ${clientWidth} px`, ...causes];
  });
  assert.deepEqual(wide, [], `${page.url()} scrolls sideways`);
}

/**
 * Asserts that no cell of a table, and no badge or time in the log, breaks a word or a number over two
 * lines. Paths and hashes may break anywhere, and so may a word in running text that is longer than most
 * lines.
 */
export async function assertWholeWords(page) {
  const broken = await page.evaluate(() => {
    const found = [];
    for (const cell of document.querySelectorAll('td, th, .badge, .log time, .log .level')) {
      const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) {
        const { currentNode: text } = texts;
        if (text.parentElement.closest('.path, .hash')) continue;
        // A line may end after a dash or a slash.
        for (const { 0: word, index } of text.data.matchAll(/[^\s\-–/…·]+/g)) {
          if (word.length > 30 && text.parentElement.closest('.text')) continue;
          const range = document.createRange();
          range.setStart(text, index);
          range.setEnd(text, index + word.length);
          const lines = new Set([...range.getClientRects()].filter(({ width }) => width > 0).map(({ top }) => Math.round(top)));
          if (lines.size > 1) found.push(`${word} in: ${cell.textContent.trim().slice(0, 60)}`);
        }
      }
    }
    return found;
  });
  assert.deepEqual(broken, [], `${page.url()}: words are broken`);
}

/** Asserts that the focus is visible. Returns a description of the focused element. */
export async function assertFocusSeen(page) {
  const focus = await page.evaluate(() => {
    const element = document.activeElement;
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    return {
      what: `${element.localName}#${element.id}: ${element.textContent.trim().slice(0, 40)}`,
      isPage: element === document.body,
      outline: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0,
      shadow: style.boxShadow !== 'none',
      isOnScreen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0
        && box.top < innerHeight && box.left < innerWidth,
    };
  });
  assert.ok(!focus.isPage, 'something has the focus');
  assert.ok(focus.outline || focus.shadow, `the focus cannot be seen: ${focus.what}`);
  assert.ok(focus.isOnScreen, `the focus is off the screen: ${focus.what}`);
  return focus.what;
}
