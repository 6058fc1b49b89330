// The page in the other browser: it draws, reads out, and takes links as it gives them away.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { host, launchFirefox } from './browser.js';
import { contract } from './links.js';

let browser, site;
before(async () => {
  site = await host(process.env.PAGE_DIR);
  browser = await launchFirefox();
});
after(async () => {
  await browser?.close();
  site?.close();
});

const [one, two] = contract.links.map(link => link.hash);
const text = (page, selector) => page.$eval(selector, element => element.textContent);
const runs = page => page.$$eval('#runs li', all => all.length);

async function visit(hash, test) {
  const context = await browser.createBrowserContext(), page = await context.newPage(), complaints = [];
  page.on('console', message => complaints.push(message.text()));
  page.on('pageerror', error => complaints.push(String(error)));
  try {
    await page.setViewport({ width: 1000, height: 800 });
    await page.goto(site.url + (hash && `#${hash}`));
    await page.waitForFunction(() => document.documentElement.dataset.drawn);
    await test(page);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

test('Firefox draws the chart, reads out under the pointer, and adds the link that it has copied', () => visit(one, async page => {
  assert.equal(await page.$eval('html', root => root.dataset.drawn), 'chart');
  const drawn = await page.evaluate(() => {
    const { width, height } = document.getElementById('chart');
    const copy = new OffscreenCanvas(width, height).getContext('2d');
    copy.drawImage(document.getElementById('chart'), 0, 0);
    const data = new Uint32Array(copy.getImageData(0, 0, width, height).data.buffer);
    return [0x1d5fd1, 0xb4410e].map(hex => data.filter(pixel => (pixel & 0xffffff) === (hex >> 16 | (hex & 0xff00) | (hex & 0xff) << 16)).length);
  });
  assert.ok(drawn.every(count => count > 500), `pixels of durations and of costs: ${drawn}`);
  const box = await (await page.$('#stage')).boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + 100);
  assert.match(await text(page, '#readout'), /^\d+ MB .* per million/);

  await page.click('#copy');
  await page.waitForFunction(() => document.getElementById('said').textContent === 'Link copied');
  await page.focus('#links');
  await page.keyboard.down('Control');
  await page.keyboard.press('v');
  await page.keyboard.up('Control');
  assert.equal(await page.$eval('#links', field => field.value), page.url());
  await page.click('#add button');
  assert.equal(await runs(page), 2);
  await page.screenshot({ path: join(process.env.PAGE_SHOTS, 'firefox.png'), fullPage: true });
}));

test('Firefox opens links pasted on the empty page, and goes back', () => visit('', async page => {
  assert.match(await text(page, '#problem'), /^Which memory size/);
  await page.$eval('#links', (field, value) => { field.value = value; }, `Chart: https://example.com/#${two}`);
  await page.click('#add button');
  assert.equal(await runs(page), 2);
  // Not by the driver, which waits for a load that an address of the same page does not cause.
  await page.evaluate(() => history.back());
  await page.waitForSelector('#problem:not([hidden])');
}));

test('Firefox opens a fleet’s result from a file, a row’s chart, and goes back to the table', () => visit('', async page => {
  const functions = Array.from({ length: 60 }, (_, i) => ({ function: `f${i}`, state: 'tuned', memoryMB: 1024, power: 512, cheaperPercent: 20, savesPerMonth: i, chart: `https://x.example/#${two}` }));
  const path = join(process.env.PAGE_SHOTS, 'fleet.json');
  await writeFile(path, JSON.stringify({ summary: '60 functions', currency: 'USD', functions }));
  await (await page.$('#file')).uploadFile(path);
  await page.waitForFunction(() => document.querySelectorAll('#fleet tbody tr').length === 60);
  assert.equal(await text(page, 'h1'), '60 functions');
  assert.match(await text(page, '#fleet tbody tr'), /^f591024 → 512−20 %\$59\.0$/);
  await page.$eval('#fleet label input', field => { field.value = 'f1'; field.dispatchEvent(new Event('input', { bubbles: true })); });
  assert.equal(await text(page, '#fleet output'), '11 of 60 functions');
  await page.click('#fleet tbody td');
  assert.equal(await runs(page), 2);
  await page.evaluate(() => history.back());
  await page.waitForSelector('#fleet table');
  assert.equal(await text(page, '#fleet output'), '11 of 60 functions');
}));
