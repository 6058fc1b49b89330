// The page's figures: bytes as a host that compresses sends them, how long a navigation takes until the chart is drawn (beside
// what a page takes that does nothing but draw the same with Chart.js, as the old one did), and how long the page is busy
// with a move of the pointer and with a switch.
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { drawn, host, launch, visit } from './browser.js';
import { encode, made } from './links.js';

const root = new URL('../../', import.meta.url);
const ROUNDS = 15;
const thousands = number => String(number).replace(/\B(?=(\d{3})+$)/g, ',');
const middle = times => times.toSorted((a, b) => a - b)[times.length >> 1];
const span = times => `${middle(times).toFixed(0)} (${Math.min(...times).toFixed(0)})`;

async function bytes() {
  const rows = [];
  for (const name of (await readdir(process.env.PAGE_DIR)).toSorted()) {
    const file = await readFile(join(process.env.PAGE_DIR, name));
    rows.push([name, file.length, gzipSync(file, { level: 9 }).length, brotliCompressSync(file).length]);
  }
  const sum = column => rows.reduce((all, row) => all + row[column], 0);
  return [...rows, ['**all**', sum(1), sum(2), sum(3)]];
}

// From the navigation's start to the first frame after the drawing.
const untilDrawn = page => page.evaluate(() => new Promise(done => {
  const check = () => (document.documentElement.dataset.drawn ? requestAnimationFrame(() => done(globalThis.drawnAt)) : setTimeout(check, 1));
  check();
}));
const watch = () => new MutationObserver(() => {
  if (document.documentElement.dataset.drawn) globalThis.drawnAt ??= performance.now();
}).observe(document, { attributes: true, subtree: true, attributeFilter: ['data-drawn'] });

// A page that draws a link's numbers with Chart.js and has nothing else on it.
async function bare() {
  const folder = await mkdtemp(join(tmpdir(), 'bare-'));
  await copyFile(join(process.env.PAGE_TOOLS, 'node_modules/chart.js/dist/chart.umd.min.js'), join(folder, 'chart.js'));
  await writeFile(join(folder, 'index.html'), `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<div style="height: 440px"><canvas id="chart"></canvas></div><script src="chart.js"></script><script src="draw.js"></script>`);
  await writeFile(join(folder, 'draw.js'), `
const numbers = (text, Type) => [...new Type(Uint8Array.from(atob(text), byte => byte.charCodeAt(0)).buffer)];
const [sizes, times, costs] = location.hash.slice(1).split(';');
const datasets = [{ data: numbers(times, Float32Array), yAxisID: 'time' }, { data: numbers(costs, Float32Array), yAxisID: 'cost' }];
new Chart(document.getElementById('chart'), {
  type: 'line',
  data: { labels: numbers(sizes, Uint16Array), datasets },
  options: { animation: false, maintainAspectRatio: false, scales: { time: { position: 'left' }, cost: { position: 'right' } } },
});
document.documentElement.dataset.drawn = 'chart';`);
  const site = await host(folder);
  return { url: site.url, close: () => (site.close(), rm(folder, { recursive: true })) };
}

async function load(browser, url, then) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 800 } });
  await context.addInitScript(watch);
  const page = await context.newPage();
  await page.goto(url);
  const cold = await untilDrawn(page);
  await page.reload();
  const warm = await untilDrawn(page);
  await then?.(page);
  await context.close();
  return [cold, warm];
}

// The two pages take turns, so that a slow moment of the machine touches both.
async function times(browser, site, plain, points) {
  const hash = encode([made(points)]), cold = [], warm = [], hover = [], toggle = [], plainCold = [], plainWarm = [];
  for (let round = 0; round < ROUNDS; round++) {
    const [first, second] = await load(browser, `${plain.url}#${hash}`);
    plainCold.push(first);
    plainWarm.push(second);
    const took = await load(browser, `${site.url}#${hash}`, async page => hover.push(...await page.evaluate(async () => {
      const stage = document.getElementById('stage'), box = stage.getBoundingClientRect(), times = [];
      for (let x = 70; x < box.width - 70; x += 50) {
        const start = performance.now();
        stage.dispatchEvent(new PointerEvent('pointermove', { clientX: box.left + x, clientY: box.top + 100 }));
        times.push(performance.now() - start);
        await new Promise(requestAnimationFrame);
      }
      return times;
    })) && toggle.push(...await page.evaluate(async () => {
      const times = [];
      const click = id => document.getElementById(id).click();
      const set = (id, value, event) => {
        const control = document.getElementById(id);
        control.value = value;
        control.dispatchEvent(new Event(event, { bubbles: true }));
      };
      for (const step of [() => click('hide-marks'), () => click('log-y'), () => set('weight', 0.8, 'input'), () => set('view-as', 'overlay', 'change'),
        () => set('view-as', 'front', 'change'), () => set('view-as', 'panels', 'change'), () => set('weight', 0.5, 'input'), () => click('hide-cost')]) {
        const start = performance.now();
        step();
        // With the layout that the change asks for.
        document.body.getBoundingClientRect();
        times.push(performance.now() - start);
        await new Promise(requestAnimationFrame);
      }
      return times;
    })));
    cold.push(took[0]);
    warm.push(took[1]);
  }
  return [points, span(cold), span(plainCold), span(warm), span(plainWarm), ...[hover, toggle].map(times => `${middle(times).toFixed(1)} (${Math.min(...times).toFixed(1)})`)];
}

const table = (head, rows) => [head, head.map((_, i) => (i ? '--:' : '---')), ...rows].map(row => `| ${row.join(' | ')} |`).join('\n');

const site = await host(process.env.PAGE_DIR), plain = await bare(), browser = await launch();
try {
  const sizes = (await bytes()).map(([name, ...sizes]) => [name, ...sizes.map(thousands)]);
  const speeds = [];
  for (const points of [6, 46, 1_000]) speeds.push(await times(browser, site, plain, points));
  const text = `${table(['file', 'bytes', 'gzip -9', 'Brotli'], sizes)}

${table(['points', 'cold, ms', 'Chart.js alone', 'warm, ms', 'Chart.js alone', 'pointer moved, ms', 'switch, ms'], speeds)}

Medians of ${ROUNDS} rounds in Debian's Chromium, the best in brackets: from navigation to the chart drawn with an empty cache and with a full one,
the work for one move of the pointer, and for a switch, the slider or a view with its layout. Beside it, in the same run, a page that does nothing
but draw the same numbers with Chart.js; the old page, which does that and more, took 1.13 times as long as such a page cold and 1.02 times warm.`;
  const readme = new URL('README.md', root), before = await readFile(readme, 'utf8');
  const mark = /(<!-- page-figures -->\n)[^]*?(\n<!-- \/page-figures -->)/;
  if (!mark.test(before)) throw new Error('README.md has no place for the figures: <!-- page-figures --> … <!-- /page-figures -->');
  await writeFile(readme, before.replace(mark, (_, start, end) => start + text + end));
  console.log(text);

  for (const colorScheme of ['light', 'dark'])
    await visit(browser, site.url, '', { colorScheme, viewport: { width: 1280, height: 800 } }, async page => {
      await page.click('#example');
      await drawn(page);
      await page.focus('#stage');
      await page.keyboard.press('End');
      await page.evaluate(() => document.activeElement.blur());
      await page.screenshot({ path: new URL(`web/page-${colorScheme}.png`, root).pathname });
    });
} finally {
  await browser.close();
  site.close();
  await plain.close();
}
