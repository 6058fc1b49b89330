// A fleet's result as a table, and what else can be opened from a file.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { axeSource, host, launch, visit } from './browser.js';
import { contract, encode, made } from './links.js';

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
const elsewhere = hash => `https://charts.example/page/#${hash}`;

const tuned = (name, saves, more = {}) => ({
  function: name, region: 'eu-west-1', state: 'tuned', memoryMB: 1024, power: 512, cheaperPercent: 38.2, fasterPercent: -3.1,
  costPerMonth: 12.3, savesPerMonth: saves, confidence: { within1: 0.83, within3: 0.97, within5: 0.99 }, chart: elsewhere(one), result: { power: 512 }, ...more,
});
const failed = { function: 'mailer', region: 'eu-west-1', state: 'failed', memoryMB: 128, error: { name: 'HandlerError', message: '128 MB: boom' } };
const fleet = (functions, more = {}) => ({
  schemaVersion: 1, executionArn: 'arn:aws:states:eu-west-1:123456789012:execution:fleet:1', summary: '5 functions: 3 could be cheaper, $1,240 a month of $3,900',
  currency: 'USD', costPerMonth: 3900, savesPerMonth: 1240, functions, ...more,
});
const FLEET = fleet([
  tuned('thumbnails', 4.7),
  tuned('orders', 1234.5, { memoryMB: 2048, power: 1024, confidence: { within1: 0.96, within3: 0.99, within5: 1 }, chart: elsewhere(two) }),
  tuned('Search', -3.2, { cheaperPercent: -12, fasterPercent: 40, power: 3008, confidence: { within1: 0.4, within3: 0.7, within5: 0.9 } }),
  tuned('unused', undefined, { savesPerMonth: undefined, cheaperPercent: 0.2, fasterPercent: 0, power: 1024, doubts: ['other work disturbed it', 'a size failed'] }),
  failed,
  { function: 'nightly', region: 'eu-west-1', state: 'notRun', memoryMB: 256 },
], { leftOut: [{ name: 'billing', why: 'it has no payload' }] });

const file = (value, name = 'result.json', mimeType = 'application/json') => ({
  name, mimeType, buffer: Buffer.isBuffer(value) ? value : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
});
const choose = async (page, ...files) => {
  await page.setInputFiles('#file', files);
  await page.waitForFunction(() => !document.getElementById('file').value);
};
const opened = async (page, value) => {
  await choose(page, file(value));
  await page.waitForSelector('#fleet table');
};
const drop = (page, text, name) => page.evaluate(([text, name]) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([text], name));
  return ['dragover', 'drop'].map(type => document.querySelector('main').dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true })));
}, [text, name]);
const rows = page => page.$$eval('#fleet tbody tr', all => all.map(row => [...row.cells].map(cell => cell.textContent)));
const names = async page => (await rows(page)).map(row => row[0]);
const shot = (page, name) => page.screenshot({ path: join(process.env.PAGE_SHOTS, `${name}.png`) });

test('a chosen result is a table with the program’s figures, what saves most first', () => at('', {}, async page => {
  await opened(page, FLEET);
  assert.equal(await page.textContent('h1'), FLEET.summary);
  assert.equal(await page.title(), FLEET.summary);
  assert.equal(await page.isVisible('#problem'), false);
  assert.equal(await page.isVisible('#view'), false);
  assert.deepEqual(await page.$$eval('#fleet thead th', all => all.map(head => head.textContent)),
    ['Function', 'Memory (MB)', 'Cost', 'Duration', 'Saves a month', 'How sure', 'What is wrong']);
  assert.deepEqual(await rows(page), [
    ['orders', '2048 → 1024', '−38 %', '+3 %', '$1,234', '96 % for 1 %', ''],
    ['thumbnails', '1024 → 512', '−38 %', '+3 %', '$4.70', '97 % for 3 %', ''],
    ['Search', '1024 → 3008', '+12 %', '−40 %', '−$3.20', '90 % for 5 %', ''],
    ['unused', '1024', 'same', 'same', '', '97 % for 3 %', 'tune it again: other work disturbed it and a size failed'],
    ['mailer', '128', '', '', '', '', 'HandlerError: 128 MB: boom'],
    ['nightly', '256', '', '', '', '', 'not run'],
    ['billing', '', '', '', '', '', 'left out: it has no payload'],
  ]);
  assert.equal(await page.textContent('#fleet output'), '7 of 7 functions');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'scroll', 'the keyboard is at the table');
  assert.equal(await page.evaluate(() => scrollY), 0);
}));

test('a result dropped anywhere is opened, and so is one pasted into the field', () => at(one, {}, async page => {
  assert.deepEqual(await drop(page, JSON.stringify(FLEET), 'fleet.json'), [false, false], 'the browser does not leave the page for it');
  await page.waitForSelector('#fleet table');
  assert.equal((await rows(page)).length, 7);
  await page.goBack();
  await page.waitForSelector('#view:not([hidden])');
  assert.equal(await page.locator('#fleet table').count(), 0);
  await page.fill('#links', JSON.stringify(fleet([tuned('pasted', 1)]), null, 2));
  await page.click('#add button');
  await page.waitForSelector('#fleet table');
  assert.deepEqual(await names(page), ['pasted']);
  assert.equal(await page.inputValue('#links'), '');
}));

test('functions of several regions, and another currency', () => at('', {}, async page => {
  await opened(page, fleet([tuned('a', 2, { region: 'cn-north-1', chart: `https://x.example/?currency=CNY#${one}` }), tuned('b', 1, { region: 'cn-northwest-1' })], { currency: 'CNY' }));
  assert.deepEqual((await rows(page)).map(row => [row[0], row[1], row[5]]), [['a', 'cn-north-1', '¥2.00'], ['b', 'cn-northwest-1', '¥1.00']]);
  assert.match(await page.textContent('#fleet .tools'), /CNY a month/);
  await page.click('bdi:text-is("a")');
  await page.waitForSelector('#view:not([hidden])');
  assert.match(await page.textContent('#cards'), /¥/);
  assert.equal(await page.evaluate(() => location.origin + location.pathname), site.url.replace(/#.*/, ''));
  await page.goBack();
  await page.waitForSelector('#fleet table');
  await page.click('bdi:text-is("b")');
  await page.waitForSelector('#view:not([hidden])');
  assert.match(await page.textContent('#cards'), /\$/);
}));

test('filters by name, by what can be saved, by failure and by the least saving', () => at('', {}, async page => {
  await opened(page, FLEET);
  await page.fill('#fleet label:nth-child(1) input', 'SEAR');
  assert.deepEqual(await names(page), ['Search']);
  assert.equal(await page.textContent('#fleet output'), '1 of 7 functions');
  await page.fill('#fleet label:nth-child(1) input', '');
  await page.selectOption('#fleet select', 'save');
  assert.deepEqual(await names(page), ['orders', 'thumbnails', 'unused']);
  await page.fill('#fleet [type=number]', '10');
  assert.deepEqual(await names(page), ['orders']);
  await page.selectOption('#fleet select', 'failed');
  assert.deepEqual(await names(page), []);
  await page.fill('#fleet [type=number]', '');
  assert.deepEqual(await names(page), ['mailer']);
  await page.selectOption('#fleet select', '');
  assert.equal((await names(page)).length, 7);
}));

test('a heading sorts, once more the other way round, and what is not known stays last', () => at('', {}, async page => {
  await opened(page, FLEET);
  const by = async heading => {
    await page.click(`#fleet thead button:text-is("${heading}")`);
    const sort = await page.$$eval('#fleet thead th', all => all.map(head => head.ariaSort).filter(sort => sort !== 'none'));
    return [sort.join(), ...await names(page)].join(' ');
  };
  assert.equal(await by('Function'), 'ascending billing mailer nightly orders Search thumbnails unused');
  assert.equal(await by('Function'), 'descending unused thumbnails Search orders nightly mailer billing');
  assert.equal(await by('Memory (MB)'), 'ascending mailer nightly unused thumbnails Search orders billing');
  assert.equal(await by('Cost'), 'ascending thumbnails orders unused Search mailer nightly billing');
  assert.equal(await by('Cost'), 'descending Search unused thumbnails orders mailer nightly billing');
  assert.equal(await by('Duration'), 'ascending Search unused thumbnails orders mailer nightly billing');
  assert.equal(await by('How sure'), 'descending orders unused thumbnails Search mailer nightly billing');
  assert.equal(await by('Saves a month'), 'descending orders thumbnails Search unused mailer nightly billing');
  assert.equal(await by('Saves a month'), 'ascending Search thumbnails orders unused mailer nightly billing');
  assert.equal(await by('What is wrong'), 'ascending mailer billing nightly unused Search thumbnails orders');
}));

test('a row opens its function’s chart here, and Back returns to the table as it was', () => at('', {}, async page => {
  await opened(page, fleet(Array.from({ length: 300 }, (_, i) => tuned(`function-${i}`, i, { chart: elsewhere(i === 7 ? two : one) })).concat(failed)));
  await page.fill('#fleet label:nth-child(1) input', 'function');
  await page.click('#fleet thead button:text-is("Saves a month")');
  assert.deepEqual((await names(page)).slice(0, 2), ['function-0', 'function-1']);
  const row = page.locator('#fleet tr:has(bdi:text-is("function-150"))');
  await row.scrollIntoViewIfNeeded();
  const scrolled = await page.evaluate(() => scrollY);
  assert.ok(scrolled > 1_000, `${scrolled}`);
  // Anywhere in the row.
  await row.locator('td').nth(2).click();
  await page.waitForSelector('#view:not([hidden])');
  assert.equal(await page.evaluate(() => location.hash.slice(1)), one);
  assert.equal(new URL(page.url()).origin, new URL(site.url).origin);
  assert.equal(await page.locator('#fleet table').count(), 0);
  assert.equal(await page.evaluate(() => scrollY), 0);
  await page.goBack();
  await page.waitForSelector('#fleet table');
  assert.equal(await page.textContent('#fleet output'), '300 of 301 functions');
  assert.equal(await page.inputValue('#fleet label:nth-child(1) input'), 'function');
  assert.deepEqual((await names(page)).slice(0, 2), ['function-0', 'function-1']);
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'function-150');
  const inView = () => page.waitForFunction(() => {
    const { top, bottom } = document.activeElement.getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight;
  });
  await inView();
  console.log(`scrolled to ${scrolled}, after Back to ${await page.evaluate(() => scrollY)}`);
  // By keyboard, further and back.
  await page.focus('#fleet tr:has(bdi:text-is("function-7")) a');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#view:not([hidden])');
  assert.equal(await page.evaluate(() => location.hash.slice(1)), two);
  await page.goBack();
  await page.waitForSelector('#fleet table');
  await page.goForward();
  await page.waitForSelector('#view:not([hidden])');
  assert.equal(await page.locator('#runs li').count(), 2);
  await page.reload();
  await page.goBack();
  await page.waitForFunction(() => document.getElementById('said').textContent);
  assert.match(await page.textContent('#said'), /open it again/);
}));

test('a row without a chart opens nothing, and two tables are two entries', () => at('', {}, async page => {
  await opened(page, fleet([failed], { summary: 'first' }));
  await page.click('#fleet tbody td');
  assert.ok(await page.isVisible('#fleet table'));
  await choose(page, file(fleet([tuned('a', 1)], { summary: 'second' })));
  assert.equal(await page.textContent('h1'), 'second');
  await page.goBack();
  await page.waitForFunction(() => document.title === 'first');
  assert.deepEqual(await names(page), ['mailer']);
  await page.goForward();
  await page.waitForFunction(() => document.title === 'second');
}));

test('hostile names stay text, and hostile values do not break the table', () => at('', {}, async page => {
  const bad = '<img src=x onerror=alert(1)>"\'&';
  await opened(page, fleet([
    tuned(bad, 5, { region: bad, chart: `https://x.example/#${one}"><script>alert(2)</script>` }),
    tuned('script', 4, { chart: 'javascript:alert(3)' }),
    tuned('שלום \u202Eevil', 3, { chart: 'nonsense' }),
    { function: { a: 1 }, state: 'failed', error: { name: bad, message: ['x'] }, memoryMB: '128', savesPerMonth: '7', confidence: 'high' },
    { state: 'tuned', function: { toString: 1 }, region: { toString: null }, power: [{}], doubts: [{}, null], chart: 5, error: bad, cheaperPercent: null },
    { state: 'tuned', function: 'x'.repeat(5_000), error: { message: 'y'.repeat(5_000) } },
  ], { summary: bad, currency: bad, leftOut: [{ name: bad, why: bad }, null] }));
  assert.equal(await page.locator('img, main script').count(), 0);
  assert.equal(await page.textContent('h1'), bad);
  assert.deepEqual((await rows(page)).slice(0, 3).map(row => row.slice(0, 2)), [[bad, bad], ['script', 'eu-west-1'], ['שלום \u202Eevil', 'eu-west-1']]);
  assert.equal(await page.locator('#fleet tbody tr').count(), 8);
  assert.ok(await page.$$eval('#fleet tbody a', links => links.every(link => link.href.startsWith(location.origin))));
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${wide} pixels too wide`);
}));

for (const [name, value, type, wanted] of [
  ['photo.png', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 13, 0xff]), 'image/png', /photo\.png is not text\./],
  ['notes.txt', 'buy milk', 'text/plain', /notes\.txt is text\./],
  ['nothing', '', '', /nothing is empty\./],
  ['scan.json', { functions: [{ name: 'orders', worthARun: true }], scanCost: 0 }, 'application/json', /scan\.json is JSON with functions, scanCost\./],
  ['null.json', 'null', 'application/json', /null\.json is JSON\./],
  ['list.json', [], 'application/json', /list\.json is JSON\./],
])
  test(`${name} is told apart, and what would be right is said`, () => at('', {}, async page => {
    await choose(page, file(value, name, type));
    await page.waitForFunction(() => document.getElementById('refused').textContent);
    const said = await page.textContent('#refused');
    assert.match(said, wanted);
    assert.match(said, /There is no chart link in it: what can be opened are links as the program prints them, and its results as JSON$/);
    assert.ok(await page.isVisible('#problem'));
    if (type !== 'text/plain') return;
    await drop(page, value, name);
    await page.waitForFunction(() => document.getElementById('said').textContent);
    assert.equal(await page.textContent('#said'), said);
  }));

test('a file of hundreds of megabytes is not read', () => at('', {}, async page => {
  await page.evaluate(() => {
    const input = document.getElementById('file'), film = new File(['x'], 'film.mp4');
    Object.defineProperty(film, 'size', { value: 3e9 });
    Object.defineProperty(input, 'files', { value: [film] });
    input.dispatchEvent(new Event('change', { bubbles: true }));
  });
  await page.waitForFunction(() => document.getElementById('refused').textContent);
  assert.match(await page.textContent('#refused'), /^film\.mp4 has 3000 MB/);
}));

test('the result of one run opens its chart, those of several a comparison; a text with links as well', () => at('', {}, async page => {
  const result = hash => file({ power: 512, cost: 1e-7, duration: 3, stateMachine: { executionCost: 0.1, lambdaCost: 0.2, visualization: elsewhere(hash) } });
  await choose(page, result(one));
  await page.waitForSelector('#view:not([hidden])');
  assert.equal(await page.locator('#runs li').count(), 1);
  await choose(page, result(one), result(two));
  assert.equal(await page.locator('#runs li').count(), 3);
  await choose(page, file(`see ${elsewhere(two)}`, 'mail.txt', 'text/plain'));
  assert.equal(await page.locator('#runs li').count(), 2);
  // What a chart is open for is not left by a mistake.
  await choose(page, file('x', 'x.txt'));
  assert.equal(await page.locator('#runs li').count(), 2);
}));

// From an event to the end of the frame that it causes, in milliseconds, and what the page computed for it altogether, which does not depend on
// what else the machine does.
async function busy(page, context, act) {
  const session = await context.newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const worked = async () => (await session.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration').value * 1_000;
  const before = await worked(), rounds = 24;
  const times = await page.evaluate(async ([act, rounds]) => {
    const { port1, port2 } = new MessageChannel(), times = [], run = new Function('step', act);
    for (let step = 0; step < rounds; step++) {
      times.push(await new Promise(done => requestAnimationFrame(() => {
        const start = performance.now();
        run(step);
        port2.onmessage = () => done(performance.now() - start);
        // Handled once the frame is painted.
        port1.postMessage(0);
      })));
    }
    return times;
  }, [act, rounds]);
  return { frame: times.sort((a, b) => a - b)[rounds >> 1], computed: (await worked() - before) / rounds };
}

test('1,000 rows are filtered and sorted within a frame', () => at('', { viewport: { width: 1440, height: 900 } }, async (page, context) => {
  const link = encode([made(12)]);
  await opened(page, fleet(Array.from({ length: 1_000 }, (_, i) => (i % 10 === 9 ? { ...failed, function: `mailer-${i}` } : tuned(`service-${i * 7919 % 1000}`, i * 7919 % 1000 / 3, { chart: elsewhere(link) })))));
  await page.waitForFunction(() => document.querySelectorAll('#fleet tbody tr').length === 1_000);
  for (const [what, act] of [
    ['filter', `const name = document.querySelector('#fleet input'); name.value = ['s', 'se', 'service-1', '9', ''][step % 5]; name.dispatchEvent(new Event('input', { bubbles: true }));`],
    ['sort', `document.querySelectorAll('#fleet thead button')[step % 7].click();`],
  ]) {
    const { frame, computed } = await busy(page, context, act);
    console.log(`${what} of 1,000 rows: ${frame.toFixed(1)} ms to the painted frame (median), ${computed.toFixed(1)} ms computed in all`);
    assert.ok(computed < 16, `${what}: ${computed} ms`);
  }
}));

for (const [name, options] of Object.entries({
  'fleet': { viewport: { width: 1440, height: 900 } }, 'fleet-dark': { viewport: { width: 1440, height: 900 }, colorScheme: 'dark' },
  'fleet-narrow': { viewport: { width: 360, height: 740 } }, 'fleet-narrow-dark': { viewport: { width: 360, height: 740 }, colorScheme: 'dark' },
}))
  test(`nothing to object to in the state '${name}', which fits its width`, () => at('', options, async page => {
    await opened(page, fleet([...FLEET.functions, ...Array.from({ length: 60 }, (_, i) => tuned(`a-function-with-a-rather-long-name-${i}`, i / 10))], { leftOut: FLEET.leftOut }));
    // Columns are columns in every row, whatever is in them.
    const edges = await page.$$eval('#fleet tr', all => all.slice(0, 25).map(row => [...row.cells].map(cell => Math.round(cell.getBoundingClientRect().left)).join()));
    assert.equal(new Set(edges).size, 1, edges.join('\n'));
    await shot(page, name);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `${wide} pixels too wide`);
    const { violations } = await page.evaluate(`${axeSource}; axe.run(document, { resultTypes: ['violations'] })`);
    assert.deepEqual(violations.map(v => `${v.id}: ${v.nodes.map(n => n.target).join(' ')} ${v.nodes[0].failureSummary}`), []);
  }));

test('names stay in view when the table is scrolled', () => at('', { viewport: { width: 360, height: 740 } }, async page => {
  await opened(page, fleet([tuned('a', 1), tuned('b', 2, { region: 'us-east-1' })]));
  const places = await page.evaluate(() => {
    const scroll = document.querySelector('#fleet .scroll'), cell = document.querySelector('#fleet tbody th');
    return [0, 300, 10_000].map(left => {
      scroll.scrollLeft = left;
      return cell.getBoundingClientRect().x;
    });
  });
  assert.deepEqual(places, places.map(() => places[0]));
}));
