// What the 3D view shows, measured.
import assert from 'node:assert/strict';

/** Waits until the view is ready or failed, and returns which. */
export async function settled(page) {
  await page.waitForFunction(() => ['ready', 'failed'].includes(document.querySelector('#viewer').dataset.state), undefined, { timeout: 60_000 });
  return page.locator('#viewer').getAttribute('data-state');
}

/**
 * Reads the picture: the number of colours, the share of the canvas that is covered, a hash that changes
 * with any pixel, and the averages of red minus blue and of the lightness over the covered part.
 */
export async function picture(page) {
  return page.evaluate(async () => {
    // A request is drawn with the next frame.
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const canvas = document.querySelector('#viewer .stage canvas');
    const copy = new OffscreenCanvas(canvas.width, canvas.height);
    const context = copy.getContext('2d');
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const colors = new Set();
    let [covered, hash, warmth, light] = [0, 0, 0, 0];
    for (let at = 0; at < data.length; at += 4) {
      const [red, green, blue, alpha] = data.subarray(at, at + 4);
      hash = (Math.imul(hash, 31) + ((red << 24) | (green << 16) | (blue << 8) | alpha)) | 0;
      if (alpha < 128) continue;
      covered += 1;
      warmth += red - blue;
      light += (red + green + blue) / 3;
      colors.add((red << 16) | (green << 8) | blue);
    }
    return {
      width: canvas.width,
      height: canvas.height,
      colors: colors.size,
      covered: covered / (data.length / 4),
      warmth: covered ? warmth / covered : 0,
      light: covered ? light / covered : 0,
      hash,
    };
  });
}

/** Asserts that the picture shows a scan and is not empty or plain. */
export function assertDrawn(seen) {
  assert.ok(seen.colors > 20, `a shaded surface has many colours: ${JSON.stringify(seen)}`);
  assert.ok(seen.covered > 0.02, `something is seen: ${JSON.stringify(seen)}`);
}

/** A button of the view's toolbar, by its name in the contract (upper, wireframe, front, …). */
export function tool(page, name) {
  return page.locator(`.viewer-bar [data-tool="${name}"]`);
}
