// A browser, a static host for the built page, and a watch over both: whatever the console says, whatever leaves the
// origin and whatever the policy refuses is collected, and every test ends by asserting that there was nothing.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';

const tools = createRequire(join(process.env.PAGE_TOOLS, 'package.json'));
const { chromium } = tools('playwright-core');
export const axeSource = await readFile(tools.resolve('axe-core/axe.min.js'), 'utf8');

export const TYPES = { '.html': 'text/html; charset=utf-8', '.css': 'text/css', '.js': 'text/javascript', '.wasm': 'application/wasm' };

// Serves a folder under /some/sub/path/, as a project page or a bucket's prefix would.
export async function host(folder, types = TYPES) {
  const prefix = '/some/sub/path/';
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url, 'http://host').pathname);
    if (!path.startsWith(prefix)) return response.writeHead(404).end();
    const name = path.slice(prefix.length) || 'index.html';
    try {
      const body = await readFile(join(folder, name));
      // What static hosts send: with it a second visit finds the files, and what a browser made of them, in its cache.
      const etag = `"${createHash('sha256').update(body).digest('hex')}"`;
      if (request.headers['if-none-match'] === etag) return response.writeHead(304, { etag }).end();
      // As `deployer up` publishes the page: only the document is asked for again.
      const keep = name === 'index.html' ? 'no-cache' : 'public, max-age=31536000, immutable';
      response.writeHead(200, { etag, 'cache-control': keep, 'content-type': types[extname(name)] ?? 'application/octet-stream' }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${server.address().port}${prefix}`, close: () => server.close() };
}

export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

// Debian's Firefox as it is, by the protocol that browsers have in common; Playwright asks of that what only the newest Firefox has.
export async function launchFirefox() {
  const { default: puppeteer } = await import(tools.resolve('puppeteer-core'));
  return puppeteer.launch({ browser: 'firefox', executablePath: process.env.FIREFOX, headless: true });
}

// Opens the page with a fragment, runs the test on it, and checks that nothing was said, sent or refused meanwhile.
export async function visit(browser, base, hash, options, test) {
  const complaints = [];
  const context = await browser.newContext({ viewport: { width: 1000, height: 800 }, ...options });
  const page = await context.newPage();
  page.on('console', message => complaints.push(`console ${message.type()}: ${message.text()}`));
  page.on('pageerror', error => complaints.push(`error: ${error}`));
  page.on('request', request => {
    const url = request.url();
    if (!url.startsWith(new URL(base).origin) && !/^(data|blob):/.test(url)) complaints.push(`request: ${url}`);
  });
  page.on('requestfailed', request => complaints.push(`failed: ${request.url()}`));
  page.on('response', response => response.status() >= 400 && complaints.push(`${response.status()}: ${response.url()}`));
  await page.addInitScript(() => {
    globalThis.refused = [];
    document.addEventListener('securitypolicyviolation', event => refused.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  try {
    await page.goto(base + (options.query ?? '') + (hash === '' ? '' : '#' + hash));
    await drawn(page);
    const result = await test(page, context);
    assert.deepEqual(await page.evaluate(() => refused), [], 'the policy refused something');
    assert.deepEqual(complaints, []);
    return result;
  } finally {
    await context.close();
  }
}

export const drawn = page => page.waitForFunction(() => document.documentElement.dataset.drawn);
