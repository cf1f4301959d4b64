// A server for made-up pages, with the product's assets, its content policy and events.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const ASSETS = fileURLToPath(new URL('../../../src/web/assets/', import.meta.url));
const TYPES = { '.js': 'text/javascript', '.css': 'text/css', '.txt': 'text/plain' };

/** The policy that the product sends with every page. */
export const POLICY = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:",
  "connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
].join('; ');

/**
 * Serves `pages`: maps a path to a text (HTML), bytes, or a function of the request that returns one of
 * them or `{ status, headers, body }`. They may change at any time. `tell(event, data)` sends an event.
 */
export async function serve(pages) {
  const listeners = new Set();
  const counts = new Map();
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, 'http://x').pathname;
    counts.set(path, (counts.get(path) ?? 0) + 1);
    response.setHeader('content-security-policy', POLICY);
    response.setHeader('x-content-type-options', 'nosniff');
    if (path === '/events' && !pages['/events']) {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.write(': hello\n\n');
      listeners.add(response);
      request.on('close', () => listeners.delete(response));
      return;
    }
    const asset = normalize(path).match(/^\/assets\/(.+)$/)?.[1];
    if (asset) {
      const bytes = await readFile(join(ASSETS, asset)).catch(() => undefined);
      response.writeHead(bytes ? 200 : 404, { 'content-type': TYPES[extname(asset)] ?? 'text/plain' });
      response.end(bytes);
      return;
    }
    let answer = pages[path];
    if (typeof answer === 'function') answer = await answer(request, response);
    if (response.writableEnded || response.headersSent) return;
    if (answer === undefined) answer = { status: 404, body: 'not here' };
    if (typeof answer === 'string' || ArrayBuffer.isView(answer)) answer = { body: answer };
    const type = typeof answer.body === 'string' ? 'text/html; charset=utf-8' : 'application/octet-stream';
    response.writeHead(answer.status ?? 200, { 'content-type': type, ...answer.headers });
    response.end(answer.body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    pages,
    /** How often a path was requested. */
    count: (path) => counts.get(path) ?? 0,
    /** How many pages listen to events. */
    get listeners() {
      return listeners.size;
    },
    tell(event, data = {}) {
      for (const listener of listeners) listener.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    },
    /** Closes all event connections. */
    hangUp() {
      for (const listener of listeners) listener.destroy();
      listeners.clear();
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A whole page around `body`. */
export function html(body, { lang = 'en', bodyAttributes = 'data-events="/events"', title = 'Test' } = {}) {
  return `<!doctype html><html lang="${lang}"><head><meta charset="utf-8"><title>${title}</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/test.css">
<link rel="stylesheet" href="/assets/viewer.css"><script type="module" src="/assets/app.js"></script></head>
<body ${bodyAttributes}><p id="news" aria-live="polite"></p><p id="offline" hidden>Offline</p>
<main>${body}</main></body></html>`;
}

/** Just enough to give the test pages colours. */
export const CSS = `
:root { color-scheme: light dark; --surface: #fff; --text: #1b1f24; --muted: #57606a; --line: #d0d7de; --accent: #0a58ca; }
@media (prefers-color-scheme: dark) {
  :root { --surface: #14181d; --text: #e6edf3; --muted: #9da7b1; --line: #3d444d; --accent: #6cb0ff; }
}
body { background: var(--surface); color: var(--text); font: 1rem/1.5 sans-serif; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
`;

/** What `pages` needs for every page of `html`. */
export const BASICS = {
  '/test.css': () => ({ headers: { 'content-type': 'text/css' }, body: CSS }),
};
