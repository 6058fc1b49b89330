// What the page shows and does, through the page itself.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { TYPES, axeSource, drawn, host, launch, visit } from './browser.js';
import { contract, encode, full, made } from './links.js';

let browser, site;
before(async () => {
  site = await host(process.env.PAGE_DIR);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  site?.close();
});

const at = (hash, options, run) => visit(browser, site.url, hash, options, run);
const [one, two] = contract.links.map(link => link.hash);
const shot = (page, name) => page.screenshot({ path: join(process.env.PAGE_SHOTS, `${name}.png`), fullPage: true });

// The pixels of the canvas as the browser has them; through a copy, since reading the canvas itself would make it a slower one.
const pixels = (page, x, y, width, height) => page.evaluate(([x, y, width, height]) => {
  const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(document.getElementById('chart'), -x, -y);
  const data = copy.getImageData(0, 0, width, height).data;
  return Array.from({ length: width * height }, (_, i) => '#' + [...data.slice(4 * i, 4 * i + 3)].map(c => c.toString(16).padStart(2, '0')).join(''));
}, [x, y, width, height]);

// Where the page's layout says a point is, computed here from the description in chart/mod.rs: sides of 64 CSS pixels, the plot ends 46 above
// the bottom, memory is logarithmic with 4 % of air on either side. Names of several runs take 120 on the right of wide charts.
function column(sizes, size, width, ratio, runs = 1) {
  const side = Math.round((width < 500 * ratio ? 48 : 64) * ratio);
  const right = runs > 1 && width >= 700 * ratio ? Math.round(120 * ratio) : side;
  const [first, last] = [sizes[0], sizes.at(-1)];
  const air = (last / first) ** 0.04;
  const fraction = Math.log(size / (first / air)) / Math.log(last * air / (first / air));
  return side + Math.round(fraction * (width - side - right));
}
const canvasSize = page => page.evaluate(() => { const { width, height } = document.getElementById('chart'); return { width, height }; });
const values = (page, selector) => page.$$eval(`${selector} data`, all => all.map(one => Number(one.value)));
const single = f => Math.fround(f);
const flat = runs => runs.flatMap(run => run.sizes.map((size, i) => [size, single(run.times[i]), single(run.costs[i])]));

for (const [index, link] of contract.links.entries()) {
  test(`link ${index + 1} of the contract: table, CSV and read-outs hold the decoded values`, () => at(link.hash, {}, async page => {
    assert.equal(await page.getAttribute('html', 'data-drawn'), 'chart');
    const table = await page.$$eval('#table tbody tr', rows => rows.map(row => [...row.querySelectorAll('data')].map(one => Number(one.value))));
    // Grouped by size; the sort is stable.
    assert.deepEqual(table.map(([size, time, cost]) => [size, single(time), single(cost)]), flat(link.runs).toSorted((a, b) => a[0] - b[0]));

    const download = page.waitForEvent('download');
    await page.click('#csv');
    const csv = await readFile(await (await download).path(), 'utf8');
    const rows = csv.trim().split('\r\n').slice(1).map(line => line.split(','));
    assert.deepEqual(rows.map(([, size, time, cost]) => [Number(size), single(time), single(cost)]), flat(link.runs));
    if (link.runs[0].name) assert.deepEqual([...new Set(rows.map(row => row[0]))], link.runs.map(run => `"${run.name}"`));

    const sizes = link.runs[0].sizes;
    const { width } = await canvasSize(page);
    await page.locator('#stage').scrollIntoViewIfNeeded();
    const box = await page.locator('#stage').boundingBox();
    for (const [i, size] of sizes.entries()) {
      await page.mouse.move(box.x + column(sizes, size, width, 1, link.runs.length) + 2, box.y + 150);
      assert.equal(await page.textContent('#readout strong'), `${size} MB`);
      assert.deepEqual((await values(page, '#readout')).map(single), link.runs.flatMap(run => [single(run.times[i]), single(run.costs[i])]));
    }
    await page.focus('#stage');
    await page.keyboard.press('Home');
    assert.equal(await page.textContent('#readout strong'), `${sizes[0]} MB`);
    await page.keyboard.press('ArrowRight');
    assert.equal(await page.textContent('#readout strong'), `${sizes[1]} MB`);
    assert.match(await page.getAttribute('#stage', 'aria-valuetext'), new RegExp(`^${sizes[1]} megabytes`));
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowRight');
    assert.equal(await page.getAttribute('#stage', 'aria-valuenow'), String(sizes.at(-1)));
  }));

  for (const ratio of [1, 1.5, 2, 3]) {
    test(`link ${index + 1} of the contract draws its points where they belong at ratio ${ratio}`, () => at(link.hash, { deviceScaleFactor: ratio }, async page => {
      const { width, height } = await canvasSize(page);
      const box = await page.locator('#stage').boundingBox();
      assert.ok(Math.abs(width - box.width * ratio) <= 1 && Math.abs(height - box.height * ratio) <= 1, 'one canvas pixel for one of the screen');
      const colours = ['#1d5fd1', '#b4410e'];
      for (const [number, run] of link.runs.entries()) {
        for (const size of run.sizes) {
          const x = column(run.sizes, size, width, ratio, link.runs.length);
          // Down the size's column: the run's dots are on it, and nothing else is of their colour.
          const found = await pixels(page, x, 0, 1, height);
          const count = colour => found.filter(p => p === colour).length;
          const wanted = link.runs.length === 1 ? colours : [colours[number]];
          for (const colour of wanted) assert.ok(count(colour) >= 3 * ratio, `${colour} at ${size} MB: ${count(colour)}`);
        }
      }
      // Thin lines are sharp: the memory axis is so many rows of pure ink, with none blended beside it.
      const middle = Math.round(width / 2) + 7, base = height - Math.round(46 * ratio);
      const rows = await pixels(page, middle, base - 4, 1, 9);
      assert.equal(rows.filter(row => row === '#1f2933').length, Math.round(ratio), rows.join(' '));
      assert.equal(rows.filter(row => row !== '#1f2933' && row !== '#ffffff').length, 0, rows.join(' '));
    }));
  }
}

for (const hash of [...contract.malformed, 'AAA=;AAAAAA==;AAAAAA==', '//8=;AADIQg==;AADIQg==', 'gAA=;AADAfw==;AADIQg==', 'gAA=;AACAfw==;AADIQg==', ';;;;;;;;;;;;', '<img src=x onerror=alert(1)>', '%', '%FF%FE;%;%'])
  test(`'${hash}' is explained`, () => at(hash, {}, async page => {
    assert.equal(await page.getAttribute('html', 'data-drawn'), 'problem');
    const text = await page.textContent('#problem');
    assert.match(text, hash === '' ? /^Which memory size should a Lambda function have\?/ : /no chart to show/);
    assert.match(text, hash === '' ? /paste it below/ : /(part|run|link|base64)/);
    assert.equal(await page.locator('img').count(), 0);
    await page.click('#example');
    await page.waitForSelector('#view:not([hidden])');
    assert.equal(await page.getAttribute('html', 'data-drawn'), 'chart');
    assert.equal(await page.locator('#table tbody tr').count(), 8);
    await page.goBack();
    await page.waitForSelector('#problem:not([hidden])');
  }));

test('hostile names stay text, everywhere', () => at(encode([made(5, '<img src=x onerror=alert(1)>'), made(5, '"><script>alert(2)</script>'), made(5, 'שלום \u202Eevil')]), {}, async page => {
  assert.equal(await page.locator('img, main script').count(), 0);
  assert.equal(await page.textContent('#legend label:nth-child(4) bdi'), '<img src=x onerror=alert(1)>');
  assert.equal(await page.inputValue('#rename-1'), '"><script>alert(2)</script>');
  assert.equal(await page.textContent('#legend label:nth-child(6) bdi'), 'שלום \u202Eevil');
}));

test('10,000 points and 50 runs are drawn', async () => {
  await at(encode([made(10_000)]), {}, async page => {
    assert.equal(await page.getAttribute('html', 'data-drawn'), 'chart');
    await page.waitForSelector('#table caption');
    assert.equal(await page.locator('#table tbody tr').count(), 2_000);
    assert.match(await page.textContent('caption'), /10000/);
  });
  await at(encode(Array.from({ length: 50 }, (_, i) => made(6, `run ${i}`))), {}, async page => {
    assert.equal(await page.locator('#runs li').count(), 50);
    assert.equal(await page.locator('#table tbody tr').count(), 300);
  });
});

test('a host that does not know the type of WebAssembly does', async () => {
  const { '.wasm': _, ...types } = TYPES;
  const plain = await host(process.env.PAGE_DIR, types);
  try {
    await visit(browser, plain.url, one, {}, async page => assert.equal(await page.evaluate(() => document.documentElement.dataset.drawn), 'chart'));
  } finally {
    plain.close();
  }
});

test('controls write the link, and back and forward undo and redo', () => at(two, {}, async page => {
  const hash = () => page.evaluate(() => location.hash.slice(1));
  const press = async selector => { await page.click(selector); };
  await press('#log-x');
  assert.equal(await hash(), `${two};x:linear`);
  await press('#hide-cost');
  assert.equal(await hash(), `${two};x:linear;hide:cost`);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'hide-cost', 'the focus stays');
  await press('#sort-time');
  await press('#sort-time');
  assert.equal(await page.locator('#table thead th[aria-sort=descending]').textContent(), 'Duration (s) ▼');
  const times = (await page.$$eval('#table tbody td:nth-of-type(2) data', all => all.map(one => Number(one.value))));
  assert.deepEqual(times, times.toSorted((a, b) => b - a));
  await page.selectOption('#run', '1');
  assert.match(await page.textContent('#summary'), /^JS ARM64/);
  for (const wanted of [/sort:-time$/, /sort:time$/, /hide:cost$/, /x:linear$/]) {
    await page.goBack();
    assert.match(await hash(), wanted);
  }
  assert.equal(await page.isChecked('#log-x'), false);
  await page.goBack();
  assert.equal(await page.isChecked('#log-x'), true);
  await page.goForward();
  assert.equal(await page.isChecked('#log-x'), false);
  await page.evaluate(hash => { location.hash = hash; }, one);
  await page.waitForFunction(() => document.querySelectorAll('#table tbody tr').length === 5);
}));

test('hidden layers leave the drawing', () => at(one, {}, async page => {
  const { width, height } = await canvasSize(page);
  const count = colour => page.evaluate(([colour, width, height]) => {
    const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    copy.drawImage(document.getElementById('chart'), -64, -60);
    const data = new Uint32Array(copy.getImageData(0, 0, width, height).data.buffer);
    const [r, g, b] = colour.match(/[0-9a-f]{2}/g).map(hex => parseInt(hex, 16));
    return data.filter(pixel => (pixel & 0xffffff) === (r | g << 8 | b << 16)).length;
  }, [colour, width - 128, height - 110]);
  const [blue, rust] = ['#1d5fd1', '#b4410e'];
  assert.ok(await count(blue) > 500 && await count(rust) > 500);
  await page.click('#hide-time');
  assert.equal(await count(blue), 0);
  await page.click('#hide-cost');
  assert.equal(await count(rust), 0);
}));

test('the balance slider moves the balanced size', () => at(two, {}, async page => {
  const balanced = () => page.textContent('.card:nth-child(3) strong');
  assert.equal(await balanced(), '512 MB');
  await page.focus('#weight');
  await page.keyboard.press('Home');
  assert.equal(await balanced(), '1536 MB');
  assert.equal(await page.textContent('#balance'), '0 % cost, 100 % speed');
  await page.keyboard.press('End');
  assert.equal(await balanced(), '384 MB');
}));

test('runs are added by pasting links, renamed, moved and removed', () => at(one, {}, async page => {
  await page.fill('#links', 'nonsense');
  await page.click('#add button');
  assert.match(await page.textContent('#refused'), /no chart link/);
  await page.fill('#links', `https://example.com/elsewhere/#${two}\n${one}`);
  await page.click('#add button');
  assert.equal(await page.locator('#runs li').count(), 4);
  assert.equal(await page.inputValue('#links'), '');
  await page.fill('#rename-3', 'מהיר');
  await page.keyboard.press('Enter');
  assert.equal(await page.textContent('#legend label:nth-child(7) bdi'), 'מהיר');
  await page.click('#earlier-3');
  assert.equal(await page.inputValue('#rename-2'), 'מהיר');
  await page.click('#remove-0');
  assert.deepEqual(await page.$$eval('#runs input', all => all.map(one => one.value)), ['JS x86', 'מהיר', 'JS ARM64']);
  assert.match(await page.textContent('#runs li:nth-child(3) div'), /−20 % vs the first/);
}));

test('the empty page opens everything pasted, in its currency', () => at('', {}, async page => {
  const link = hash => `https://example.com/page/?currency=CNY#${hash}`;
  await page.fill('#links', `Chart: ${link(two)}\n{"visualization": "${link(one)}"}`);
  await page.click('#add button');
  assert.equal(await page.locator('#runs li').count(), 3);
  assert.equal(await page.evaluate(() => location.search), '?currency=CNY');
  assert.match(await page.textContent('#cards'), /¥/);
  await page.reload();
  await drawn(page);
  assert.equal(await page.locator('#runs li').count(), 3);
  await page.goBack();
  await page.waitForSelector('#problem:not([hidden])');
  assert.equal(await page.evaluate(() => location.search), '');
}));

test('50 MB are refused before they are in the field', () => at(one, {}, async page => {
  const kept = await page.evaluate(() => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text', 'x '.repeat(25_000_000));
    return document.getElementById('links').dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
  });
  assert.equal(kept, false);
  assert.match(await page.textContent('#refused'), /over 4 MB/);
}));

test('a load, and following a link, draw the chart once', () => at(one, {}, async page => {
  await page.addInitScript(() => {
    globalThis.draws = 0;
    new MutationObserver(all => { draws += all.filter(one => one.oldValue === '').length; })
      .observe(document, { subtree: true, attributeFilter: ['data-drawn'], attributeOldValue: true });
  });
  const settled = () => page.evaluate(async () => {
    for (let i = 0; i < 5; i++) await new Promise(requestAnimationFrame);
    const count = draws;
    draws = 0;
    return count;
  });
  await page.reload();
  await drawn(page);
  assert.equal(await settled(), 1);
  await page.evaluate(hash => { location.hash = hash; }, full);
  assert.equal(await settled(), 1);
}));

test('a host without viz.js is explained', async () => {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.route('**/viz.js', route => route.fulfill({ status: 404 }));
    await page.goto(`${site.url}#${one}`);
    await drawn(page);
    assert.match(await page.textContent('#problem'), /could not start .*viz\.js/);
    assert.ok(await page.isVisible('#problem'));
  } finally {
    await context.close();
  }
});

test('the currency comes from the query', () => at(one, { query: '?currency=CNY' }, async page => {
  assert.match(await page.textContent('#cards'), /¥94.6 per million/);
}));

test('PNG, link and print', () => at(full, { permissions: ['clipboard-read', 'clipboard-write'] }, async page => {
  const download = page.waitForEvent('download');
  await page.click('#png');
  const png = await readFile(await (await download).path());
  assert.equal(png.toString('latin1', 1, 4), 'PNG');
  assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [2400, 1200]);
  const copied = async (button, said) => {
    await page.click(button);
    await page.waitForFunction(said => document.getElementById('said').textContent === said, said);
    return page.evaluate(() => navigator.clipboard.readText());
  };
  assert.equal(await copied('#copy', 'Link copied'), page.url());
  const markdown = await copied('#markdown', 'Markdown copied');
  assert.match(markdown, /^\*\*128 MB is the cheapest size measured\*\*\n\nThat is what it has already\.\n/);
  assert.match(markdown, /\n\| Memory \(MB\) \| Duration \(ms\) \| vs fastest \| .*\n\| --- \| --- \| .*\n\| 128 \| 2,020 \| \+472 % \| 0\.100 \| same \| .* \| cheapest current \|\n/);
  assert.ok(markdown.endsWith(`[Chart](<${page.url()}>)\n`), markdown);
  await page.evaluate(() => { globalThis.print = () => { globalThis.printed = true; }; });
  await page.click('#print');
  assert.equal(await page.evaluate(() => printed), true);
}));

const told = `${full};about:eu-west-1.arm64.2026-11-29.20.thumbnails;choice:3161.speed.830.970.990`;

test('the answer comes first, in the heading and the title', () => at(told, {}, async page => {
  assert.equal(await page.textContent('h1'), 'thumbnails should have 3161 MB, the fastest');
  assert.equal(await page.title(), 'thumbnails should have 3161 MB, the fastest');
  assert.equal(await page.textContent('#change'), 'Now 128 MB → 3161 MB: 300 % more expensive, 74 % faster.');
  assert.equal(await page.textContent('#subject'), 'eu-west-1 · arm64 · 2026-11-29 · 20 invocations of each size');
  assert.equal(await page.textContent('#sure'), '3161 MB: 97 % sure that no size is more than 3 % faster.');
  await page.fill('#month', '10 M');
  await page.keyboard.press('Enter');
  assert.match(page.url(), /;month:10000000$/);
  assert.equal(await page.inputValue('#month'), '10,000,000');
  assert.equal(await page.textContent('#monthly'), 'about $4.00 instead of $1.00 with 128 MB, $3.00 more');
  await page.fill('#month', 'many');
  await page.keyboard.press('Enter');
  assert.match(await page.textContent('#said'), /Invocations a month: “many” is not a whole number/);
  assert.match(page.url(), /;month:10000000$/);
  await page.goBack();
  assert.match(await page.textContent('#monthly'), /^each million costs \$0\.400 /);
}));

for (const [name, viewport, last] of [['a phone', { width: 360, height: 740 }, 'first panel'], ['a desktop', { width: 1440, height: 900 }, 'everything but the table']])
  test(`on ${name} the answer and ${last} are above the fold`, () => at('', { viewport }, async page => {
    // The examples have all there can be: a month, a confidence, a current size, two runs.
    const examples = await page.locator('#problem a[href^="#"]').evaluateAll(links => links.map(link => link.hash.slice(1)));
    assert.equal(examples.length, 2);
    const bottom = async selector => {
      const box = await page.locator(selector).boundingBox();
      return box ? box.y + box.height : 0;
    };
    for (const hash of [told, ...examples]) {
      await page.evaluate(hash => { location.hash = hash; }, hash);
      await page.waitForFunction(hash => location.hash.slice(1) === hash && document.documentElement.dataset.drawn === 'chart', hash);
      assert.ok(await bottom('#heading') > 0);
      for (const selector of ['#heading', '#change', '#monthly', '#sure']) assert.ok(await bottom(selector) < viewport.height, selector);
      const stage = await page.locator('#stage').boundingBox();
      if (viewport.width === 360) assert.ok(stage.y + stage.height / 2 < viewport.height, `the first panel ends at ${stage.y + stage.height / 2}`);
      else for (const selector of ['#figure', '#side']) assert.ok(await bottom(selector) <= viewport.height, `${selector} ends at ${await bottom(selector)}`);
    }
  }));

test('a latency limit is a line, and the sizes that keep it are named', () => at(full, {}, async page => {
  await page.fill('#limit', '1000 ms');
  await page.keyboard.press('Enter');
  assert.match(page.url(), /;limit:1000$/);
  assert.equal(await page.textContent('#kept'), 'p95 within 1.00 s: 128, 1139, 2150, 3161, 4172, 5184 MB.');
  await page.fill('#limit', '');
  await page.keyboard.press('Enter');
  assert.equal(await page.textContent('#kept'), '');
}));

test('panels, one plot and cost against duration are views of the same link', () => at(two, {}, async page => {
  const picture = () => page.evaluate(() => document.getElementById('chart').toDataURL());
  const seen = new Set([await picture()]);
  for (const [view, part] of [['overlay', /;view:overlay$/], ['front', /;view:front$/]]) {
    await page.selectOption('#view-as', view);
    assert.match(page.url(), part);
    seen.add(await picture());
    await shot(page, view);
    await page.focus('#stage');
    await page.keyboard.press('Home');
    assert.equal(await page.textContent('#readout strong'), '384 MB');
  }
  assert.equal(seen.size, 3);
  // In cost against duration a pointer finds the point below it.
  const box = await page.locator('#stage').boundingBox();
  await page.mouse.move(box.x + 68, box.y + 200);
  assert.equal(await page.textContent('#readout strong'), '1536 MB');
  await page.selectOption('#view-as', 'panels');
  assert.equal(await page.evaluate(() => location.hash.slice(1)), two);
}));

test('runs are compared at one size, with the run that is chosen', () => at(two, {}, async page => {
  const row = n => page.$$eval(`#table tbody tr:nth-child(${n}) > *`, cells => cells.map(cell => cell.textContent.trim()));
  assert.deepEqual((await row(1)).slice(0, 5), ['384', '● JS x86', '15.01', '', '94.6']);
  assert.deepEqual((await row(2)).slice(0, 6), ['384', '■ JS ARM64', '15.10', '+1 %', '77.0', '−19 %']);
  assert.equal(await page.textContent('#table thead th:nth-child(4)'), 'vs JS x86');
  await page.focus('#stage');
  await page.keyboard.press('Home');
  assert.match(await page.textContent('#readout'), /against JS x86.*JS ARM64: 15\.1 s \(\+1 %\), \$77\.0 per million \(−19 %\)/);
  await page.selectOption('#run', '1');
  assert.equal(await page.textContent('#table thead th:nth-child(4)'), 'vs JS ARM64');
  assert.equal((await row(2))[3], '');
}));

for (const width of [360, 1440])
  test(`nothing moves under the pointer, and long names stay inside, at ${width} pixels`, () => at(
    encode([made(6, 'an ordinary name of a function with forty letters'), made(6, 'x'.repeat(150)), made(6, 'שם ארוך מאוד '.repeat(12))]),
    { viewport: { width, height: 800 } }, async page => {
      const places = () => page.evaluate(() => ['data', 'side', 'readout'].map(id => JSON.stringify(document.getElementById(id).getBoundingClientRect())));
      await page.locator('#stage').scrollIntoViewIfNeeded();
      const before = await places(), box = await page.locator('#stage').boundingBox();
      for (const x of [70, width / 3, width / 2]) {
        await page.mouse.move(box.x + x, box.y + 120);
        assert.notEqual(await page.textContent('#readout'), '');
        assert.deepEqual(await places(), before);
      }
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wide <= 0, `${wide} pixels too wide`);
    }));

test('the sizes stay in view when the table is scrolled', () => at(full, { viewport: { width: 360, height: 740 } }, async page => {
  const [before, after] = await page.evaluate(async () => {
    const scroll = document.querySelector('.scroll'), cell = document.querySelector('#table tbody th');
    scroll.scrollIntoView();
    await new Promise(requestAnimationFrame);
    const place = () => cell.getBoundingClientRect().x;
    const before = place();
    scroll.scrollLeft = 200;
    return [before, place(), scroll.scrollLeft];
  });
  assert.equal(before, after);
}));

for (const [name, hash] of [['one run', told], ['a comparison', two]])
  test(`${name} is printed on one page`, () => at(hash, {}, async page => {
    const pdf = await page.pdf({ format: 'A4' });
    assert.equal(pdf.toString('latin1').match(/\/Type\s*\/Page\b(?!s)/g).length, 1);
    await writeFile(join(process.env.PAGE_SHOTS, `${name}.pdf`), pdf);
  }));

test('the chart’s text follows the size of text that the reader has set', () => at(one, {}, async page => {
  const base = () => page.evaluate(() => {
    const { width, height } = document.getElementById('chart');
    const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    copy.drawImage(document.getElementById('chart'), 0, 0);
    // The memory axis is the lowest row with ink across its middle.
    for (let y = height - 1; y > 0; y--) {
      const row = copy.getImageData(width / 2 - 20, y, 40, 1).data;
      if (row.filter((value, i) => i % 4 === 0 && value === 0x1f).length > 30) return height - y;
    }
  });
  const before = await base();
  await page.evaluate(() => { document.documentElement.style.fontSize = '24px'; dispatchEvent(new Event('resize')); });
  await page.waitForFunction(() => document.getElementById('stage').clientHeight > 500);
  await page.evaluate(() => new Promise(requestAnimationFrame));
  assert.equal(Math.round(await base() / before * 10) / 10, 1.5);
}));

test('touch reads out', () => at(full, { hasTouch: true, viewport: { width: 360, height: 740 } }, async page => {
  const box = await page.locator('#stage').boundingBox();
  await page.touchscreen.tap(box.x + 60, box.y + 100);
  assert.equal(await page.textContent('#readout strong'), '128 MB');
  assert.match(await page.textContent('#readout'), /σ 5.00 ms · p50 50.0 ms · p95 900 ms/);
}));

test('light and dark follow the system until the toggle says otherwise', () => at(one, { colorScheme: 'dark' }, async page => {
  const paper = async () => (await pixels(page, 2, 2, 1, 1))[0];
  // The browser tells the page of a changed preference when it next lays it out.
  const becomes = async (colour, why) => {
    const deadline = Date.now() + 10_000;
    while (await paper() !== colour) assert.ok(Date.now() < deadline, why);
  };
  assert.equal(await paper(), '#14181f');
  await page.emulateMedia({ colorScheme: 'light' });
  await becomes('#ffffff', 'light is preferred');
  await page.selectOption('#theme', 'dark');
  assert.equal(await paper(), '#14181f');
  await page.reload();
  await drawn(page);
  assert.equal(await page.inputValue('#theme'), 'dark');
  assert.equal(await paper(), '#14181f');
  await page.selectOption('#theme', 'auto');
  assert.equal(await paper(), '#ffffff');
  await page.reload();
  await drawn(page);
  assert.equal(await page.inputValue('#theme'), 'auto');
  await page.selectOption('#theme', 'dark');
  await page.emulateMedia({ media: 'print' });
  await becomes('#ffffff', 'paper is white');
  await page.emulateMedia({ media: 'screen' });
  await becomes('#14181f', 'the screen is dark again');
}));

test('what is printed is light, whatever the screen is', () => at(two, { colorScheme: 'dark' }, async page => {
  const paper = async () => (await pixels(page, 2, 2, 1, 1))[0];
  await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
  assert.equal(await paper(), '#ffffff');
  await page.evaluate(() => dispatchEvent(new Event('afterprint')));
  assert.equal(await paper(), '#14181f');
}));

test('the window may change its size', () => at(two, {}, async page => {
  await page.setViewportSize({ width: 700, height: 900 });
  await page.waitForFunction(() => document.getElementById('chart').width === document.getElementById('stage').clientWidth);
}));

// The states that axe looks at; `told` is a whole link.
const scenes = {
  light: [full, {}], wide: [told, { viewport: { width: 1440, height: 900 } }], tablet: [told, { viewport: { width: 768, height: 1024 } }],
  front: [`${told};view:front`, {}], 'many-wide': [encode(Array.from({ length: 10 }, (_, i) => made(46, `function ${i}`))), { viewport: { width: 1440, height: 900 } }],
  dark: [two, { colorScheme: 'dark' }], narrow: [two, { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2 }],
  'narrow-dark': [full, { viewport: { width: 360, height: 740 }, colorScheme: 'dark' }], problem: ['x', {}], 'problem-dark': ['x', { colorScheme: 'dark' }],
  print: [two, { print: true }], many: [encode(Array.from({ length: 12 }, (_, i) => made(20, `run ${i}`))), {}],
};
for (const [name, [hash, { print, ...options }]] of Object.entries(scenes))
  test(`nothing to object to in the state '${name}', which fits its width`, () => at(hash, { bypassCSP: false, ...options }, async page => {
    if (print) await page.emulateMedia({ media: 'print' });
    if (!name.startsWith('problem') && !print) {
      await page.focus('#stage');
      await page.keyboard.press('Home');
    }
    await shot(page, name);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `${wide} pixels too wide`);
    const { violations } = await page.evaluate(`${axeSource}; axe.run(document, { resultTypes: ['violations'] })`);
    assert.deepEqual(violations.map(v => `${v.id}: ${v.nodes.map(n => n.target).join(' ')} ${v.nodes[0].failureSummary}`), []);
  }));

test('redrawing under the pointer stays under 16 ms at 1,000 points', () => at(encode([made(1_000)]), {}, async page => {
  const times = await page.evaluate(async () => {
    const stage = document.getElementById('stage'), box = stage.getBoundingClientRect(), times = [];
    for (let x = 70; x < box.width - 70; x += 20) {
      const start = performance.now();
      stage.dispatchEvent(new PointerEvent('pointermove', { clientX: box.left + x, clientY: box.top + 100 }));
      times.push(performance.now() - start);
      await new Promise(requestAnimationFrame);
    }
    return times.sort((a, b) => a - b);
  });
  console.log(`redraw on hover, 1,000 points: median ${times[times.length >> 1].toFixed(2)} ms`);
  assert.ok(times[times.length >> 1] < 16);
}));

test('the page is no larger than its budget, file by file: 90 KB with gzip, 77 KB with Brotli, 3 KB more for fleets', async () => {
  const names = await readdir(process.env.PAGE_DIR);
  const bytes = async (names, compress) => {
    const files = await Promise.all(names.map(name => readFile(join(process.env.PAGE_DIR, name))));
    return files.reduce((all, file) => all + compress(file).length, 0);
  };
  const gzip = file => gzipSync(file, { level: 9 });
  // Loaded when a fleet's result is opened.
  const chart = names.filter(name => name !== 'fleet.js');
  assert.equal(chart.length, names.length - 1);
  const [zipped, brotli] = [await bytes(chart, gzip), await bytes(chart, brotliCompressSync)];
  assert.ok(zipped <= 90_000, `${zipped} bytes with gzip -9`);
  assert.ok(brotli <= 77_000, `${brotli} bytes with Brotli`);
  assert.ok(await bytes(['fleet.js'], gzip) <= 3_000);
});
