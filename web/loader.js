// The wires between the document and viz.js. What a link means, what is shown and what a control does is decided in
// Rust: controls carry data-act, and an action's answer is the address to go to.

const root = document.documentElement;
const $ = id => document.getElementById(id);
const chart = $('chart'), cursor = $('cursor'), stage = $('stage');
const prefersDark = matchMedia('(prefers-color-scheme: dark)'), printing = matchMedia('print');
let page, ok, shown, late, stops = [], at = 0, ratio = 1, scale = 1, onPaper = false;
const written = {};
// Browsers hang on putting more into a text field. The largest run's link has 300,000 characters.
const MAX_PASTED = 4_000_000;
// Sizes; a table of fewer is built within a frame.
const LONG = 100;
// Tables of fleets, by the number that is the state of their entries in the history.
const fleets = [];

const here = () => location.href + history.state;
const dark = () => !onPaper && !printing.matches && (root.dataset.theme ? root.dataset.theme === 'dark' : prefersDark.matches);

function show() {
  const focused = document.activeElement?.id;
  shown = here();
  const fleet = fleets[history.state];
  page.open(location.hash, location.search);
  for (const id of ['problem', 'subject', 'heading', 'change', 'monthly', 'sure', 'kept', 'summary', 'legend', 'chooser', 'cards', 'runs', 'balance'])
    write(id, page.text(id, 0));
  if (fleet) write('heading', fleet.heading);
  else if (history.state !== null) say('The table’s file is not kept: open it again');
  document.title = $('heading').textContent;
  ok = !written.problem;
  $('problem').hidden = ok || !!fleet;
  $('fleet').replaceChildren(...(fleet ? [fleet.table] : []));
  $('view').hidden = !ok;
  $('view').className = written.chooser && 'several';
  for (const id of ['weight', 'month', 'limit']) $(id).value = page.text(id, 0);
  // What was focused has been written anew.
  if (fleet) fleet.focus.focus();
  else if (focused && focused !== document.activeElement?.id) ($(focused) ?? $('links')).focus({ preventScroll: true });
  stops = page.stops();
  stage.ariaValueMin = stops[0] ?? 0;
  stage.ariaValueMax = stops[stops.length - 1] ?? 0;
  if (!stops.includes(at)) at = 0;
  fit();
  draw();
  read();
  clearTimeout(late);
  // A long table comes after the frame with the chart: building it takes longer than all else.
  if (stops.length > LONG) requestAnimationFrame(() => { clearTimeout(late); late = setTimeout(fill); });
  else fill();
}

function fill() {
  write('table', page.text('table', 0));
}

// Building a long table takes longer than drawing the chart: only what changed is built.
function write(id, html) {
  if (written[id] !== html) $(id).innerHTML = written[id] = html;
}

// What is not heard otherwise: fields and switches speak for themselves.
const DONE = { remove: 'Run removed', earlier: 'Run moved up', later: 'Run moved down', rename: 'Run renamed' };

// False if the canvases have the size of the stage already.
function fit() {
  ratio = devicePixelRatio || 1;
  // The chart's text follows the size of text that the reader has set.
  scale = ratio * (parseFloat(getComputedStyle(root).fontSize) || 16) / 16;
  const { left, top, right, bottom } = stage.getBoundingClientRect();
  // Edges fall on device pixels, so the canvas has exactly as many as the screen shows of it.
  const width = Math.round(right * ratio) - Math.round(left * ratio);
  const height = Math.round(bottom * ratio) - Math.round(top * ratio);
  if (chart.width === width && chart.height === height) return false;
  for (const canvas of [chart, cursor]) Object.assign(canvas, { width, height });
  return true;
}

function resize() {
  if (fit()) draw();
}

function draw() {
  root.dataset.drawn = '';
  page.draw(chart, scale, dark());
  page.draw(cursor, scale, dark(), at);
  root.dataset.drawn = ok ? 'chart' : 'problem';
}

function point(size) {
  at = size;
  page.draw(cursor, scale, dark(), at);
  read();
}

function read() {
  $('readout').innerHTML = page.text('readout', at);
  stage.ariaValueNow = at || stops[0] || 0;
  stage.ariaValueText = page.text('spoken', at);
}

function act(control, push = true) {
  const { act, run } = control.dataset;
  let address;
  try {
    address = page.act(act, +(run ?? 0), control.value);
  } catch (reason) {
    if (act === 'add') $('refused').textContent = reason;
    else say(reason);
    return false;
  }
  $('refused').textContent = '';
  if (address !== location.hash) {
    history[push ? 'pushState' : 'replaceState'](null, '', address);
    show();
    if (DONE[act]) say(DONE[act]);
  }
  return true;
}

// Shows a fleet that files or a text hold; answers with what else is in them.
async function open(from) {
  const { read } = await import('./fleet.js');
  const found = await read(from);
  if (!found.table) return found;
  history.pushState(fleets.push(found) - 1, '', location.pathname);
  show();
  scrollTo(0, 0);
}

// Answers with what is wrong with them.
async function openFiles(files) {
  try {
    const other = await open(files);
    if (!other) return;
    try {
      history.pushState(null, '', page.pasted(other.text, location.search));
      show();
    } catch (reason) {
      throw `${other.what}. ${reason}`;
    }
  } catch (reason) {
    return $('refused').textContent = reason;
  }
}

// Said once, where it is seen from everywhere on the page.
let fading;
function say(text) {
  $('said').textContent = text;
  clearTimeout(fading);
  fading = setTimeout(() => { $('said').textContent = ''; }, 8_000);
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied`);
  } catch {
    say('Copying is not allowed here: copy the address instead');
  }
}

function save(name, blob) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  say(`${name} saved`);
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function listen() {
  // Following a link to another fragment causes both events.
  for (const event of ['hashchange', 'popstate']) addEventListener(event, () => here() === shown || show());
  new ResizeObserver(resize).observe(stage);
  addEventListener('resize', resize);
  printing.addEventListener('change', draw);
  addEventListener('beforeprint', () => { onPaper = true; fill(); draw(); });
  addEventListener('afterprint', () => { onPaper = false; draw(); });
  prefersDark.addEventListener('change', draw);

  stage.addEventListener('pointermove', event => point(near(event)));
  stage.addEventListener('pointerdown', event => point(near(event)));
  stage.addEventListener('pointerleave', event => event.pointerType === 'mouse' && point(0));
  stage.addEventListener('keydown', event => {
    const index = stops.indexOf(at), last = stops.length - 1, next = index + 1, before = index < 0 ? last : index - 1;
    const to = { ArrowRight: next, ArrowUp: next, ArrowLeft: before, ArrowDown: before, Home: 0, End: last }[event.key];
    if (event.key === 'Escape') point(0);
    if (to === undefined || last < 0) return;
    event.preventDefault();
    point(stops[Math.min(last, Math.max(0, to))]);
  });

  document.addEventListener('click', ({ target }) => {
    const button = target.closest('button[data-act]');
    if (button) act(button);
  });
  // The slider writes the history once, when it is let go of; on its way it only replaces.
  let sliding = false;
  document.addEventListener('input', ({ target }) => {
    if (target.id === 'weight') sliding = act(target, !sliding);
  });
  document.addEventListener('change', ({ target }) => {
    if (target.id === 'weight') sliding = false;
    else if (target.dataset.act) act(target);
  });
  $('links').addEventListener('paste', event => {
    if ((event.clipboardData?.getData('text') ?? '').length <= MAX_PASTED) return;
    event.preventDefault();
    $('refused').textContent = `The text has over ${MAX_PASTED / 1e6} MB: paste only the chart links, or open it as a file`;
  });
  $('file').addEventListener('change', async ({ target }) => {
    await openFiles(target.files);
    // The same file may be chosen again.
    target.value = '';
  });
  for (const type of ['dragover', 'drop'])
    addEventListener(type, event => {
      if (!event.dataTransfer.types.includes('Files')) return;
      event.preventDefault();
      // What is said beside the field may be out of view.
      if (type === 'drop') openFiles(event.dataTransfer.files).then(reason => reason && say(reason));
    });
  $('add').addEventListener('submit', async event => {
    event.preventDefault();
    const links = $('links');
    // A result as JSON may be a fleet's.
    const opened = /^\s*{/.test(links.value) && !(await open(links.value).catch(() => true));
    if (!opened && !act({ dataset: { act: 'add' }, value: links.value })) return;
    links.value = '';
    if (!opened) say(`${$('runs').children.length} runs are shown`);
  });

  $('theme').addEventListener('change', () => {
    theme($('theme').value);
    try { localStorage.theme = $('theme').value; } catch { /* no storage: the choice lasts until the page is left */ }
    draw();
  });
  $('csv').addEventListener('click', () => save('power-tuning.csv', new Blob([page.text('csv', 0)], { type: 'text/csv' })));
  $('png').addEventListener('click', () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 2400, height: 1200 });
    page.picture(canvas, 2, dark());
    canvas.toBlob(blob => save('power-tuning.png', blob));
  });
  $('print').addEventListener('click', () => print());
  $('copy').addEventListener('click', () => copy(location.href, 'Link'));
  $('markdown').addEventListener('click', () => copy(markdown(), 'Markdown'));
}

// What is on the page, for a pull request: punctuation in names stays what it is.
function markdown() {
  fill();
  const text = element => {
    const copy = element.cloneNode(true);
    // Colours and arrows mean nothing there.
    copy.querySelectorAll('[aria-hidden]').forEach(sign => sign.remove());
    return copy.textContent.trim().replace(/\s+/g, ' ').replace(/[\\`*_[\]<>|&#~]/g, '\\$&');
  };
  const rows = [...$('table').rows].map(row => `| ${[...row.cells].map(text).join(' | ')} |`);
  rows.splice(1, 0, `${'| --- '.repeat($('table').rows[0].cells.length)}|`);
  return `${['heading', 'change', 'subject', 'sure'].map(id => text($(id))).filter(Boolean).map((part, i) => (i ? part : `**${part}**`)).join('\n\n')}\n\n${rows.join('\n')}\n\n[Chart](<${location.href}>)\n`;
}

const near = event => page.nearest(chart.width, chart.height, scale, Math.round((event.clientX - stage.getBoundingClientRect().left) * ratio));

// 'light', 'dark', or anything else for the system's preference.
function theme(name) {
  if (['light', 'dark'].includes(name)) root.dataset.theme = $('theme').value = name;
  else delete root.dataset.theme;
}

async function compiled() {
  const answer = await fetch(new URL('viz_bg.wasm', import.meta.url));
  if (!answer.ok) throw new Error(`${answer.status} for ${answer.url}`);
  // Compiled while it arrives, which browsers do only if the host gives the file its type.
  const typed = answer.headers.get('content-type') === 'application/wasm';
  return typed ? WebAssembly.compileStreaming(answer) : WebAssembly.compile(await answer.arrayBuffer());
}

try { theme(localStorage.theme); } catch { /* no storage: the system's preference holds */ }
try {
  let code;
  [page, code] = await Promise.all([import('./viz.js'), compiled()]);
  const { exports } = await WebAssembly.instantiate(code, { './viz_bg.js': page });
  page.__wbg_set_wasm(exports);
  exports.__wbindgen_start();
  show();
  listen();
} catch (error) {
  $('problem').hidden = false;
  $('problem').textContent = `The page could not start (${error}). It needs WebAssembly, and viz.js and viz_bg.wasm beside it.`;
  root.dataset.drawn = 'problem';
}
