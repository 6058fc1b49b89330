// Files, and the table of a fleet. Loaded when the first file is opened: a chart does not wait for it. Rows are built once, as text; sorting and
// filtering put them into groups: the first at once, the others after the frame with it, and the browser lays out only those in view
// (content-visibility).

import { change, saving, sure } from './viz.js';

const MAX_FILE = 2 ** 28;
// Of a name or a message; the file has it whole.
const MAX_LETTERS = 300;
// Rows of a group, about a screen, and how high one is, in rem.
const GROUP = 24, HIGH = 2.16;

const text = value => (['string', 'number'].includes(typeof value) ? `${value}` : '');
const number = value => (typeof value === 'number' ? value : NaN);
const escape = value => text(value).replace(/[&<>"]/g, sign => `&#${sign.charCodeAt()};`);
const short = value => escape(text(value).slice(0, MAX_LETTERS));

// A column's heading, what a function's cell shows and what it is sorted by (not a number: last), and whether the largest comes first.
const COLUMNS = [
  ['Function', one => [one.function, text(one.function).toLowerCase()]],
  ['Region', ({ region }) => [region, text(region)]],
  ['Memory (MB)', ({ memoryMB, power }) => [[...new Set([memoryMB, power ?? memoryMB])].map(text).filter(Boolean).join(' → '), number(memoryMB)]],
  ['Cost', one => less(one.cheaperPercent)],
  ['Duration', one => less(one.fasterPercent)],
  ['Saves a month', (one, query) => [saving(number(one.savesPerMonth), query), number(one.savesPerMonth)], true],
  ['How sure', ({ confidence }) => {
    const told = sure(...[1, 3, 5].map(percent => number(confidence?.[`within${percent}`])));
    // A tighter tolerance is surer.
    const [share, tolerance] = told.match(/\d+/g) ?? [];
    return [told, share - 100 * tolerance];
  }, true],
  ['What is wrong', ({ state, error, doubts }) => {
    const told = error ? [error.name, error.message].map(text).filter(Boolean).join(': ')
      : state === 'notRun' ? 'not run' : Array.isArray(doubts) ? `tune it again: ${doubts.map(text).join(' and ')}` : '';
    return [told, told || NaN];
  }],
];

const less = percent => [change(number(percent)), -number(percent)];

// What files or a pasted text hold: a fleet as `{ heading, table, focus }`, anything else as its `text`, and `what` that is.
export async function read(from) {
  if (typeof from === 'string') return parse(from, 'The text');
  for (const { name, size } of from) if (size > MAX_FILE) throw `${name} has ${Math.round(size / 1e6)} MB, which no result has`;
  const texts = await Promise.all(Array.from(from, file => file.text()));
  return parse(texts.join('\n'), Array.from(from, file => file.name).join(', '));
}

function parse(text, name) {
  let found, what = text.includes('\0') ? 'not text' : text ? 'text' : 'empty';
  try {
    found = JSON.parse(text);
    what = String(found) === '[object Object]' ? `JSON with ${Object.keys(found).slice(0, 5).join(', ')}` : 'JSON';
  } catch { /* text like any other */ }
  // A scan's functions have no state.
  if (Array.isArray(found?.functions) && found.functions.every(one => one?.state)) return fleet(found);
  return { text, what: `${name} is ${what}` };
}

function fleet({ summary, currency, functions, leftOut }) {
  const all = [...functions, ...(Array.isArray(leftOut) ? leftOut : []).map(one => ({ function: one?.name, region: one?.region, error: { message: `left out: ${text(one?.why)}` } }))];
  const columns = COLUMNS.filter(([heading]) => heading !== 'Region' || new Set(all.map(one => one.region).filter(Boolean)).size > 1);
  const rows = all.map(one => {
    const cells = columns.map(([, cell]) => cell(one, `currency=${text(currency)}`));
    return {
      cells, saves: number(one.savesPerMonth), chart: chart(one.chart), name: cells[0][1],
      save: one.cheaperPercent > 0, failed: one.state === 'failed',
    };
  });
  const table = document.createElement('section');
  table.ariaLabel = 'Functions';
  table.innerHTML = `<p class="tools"><label>Name <input autocomplete="off"></label>
<label>Show <select><option value="">all<option value="save">can save<option value="failed">failed</select></label>
<label>Saves at least <input type="number" min="0" step="any"> ${escape(currency)} a month</label> <output></output></p>
<div class="scroll" tabindex="0" role="group" aria-label="Table, scrolls sideways"><table role="table">
<thead role="rowgroup"><tr role="row">${columns.map(([heading]) => `<th role="columnheader"><button type="button">${heading}</button>`).join('')}</thead><tbody>${rows.map(({ cells: [name, ...others], chart }) =>
    `<tr role="row"><th role="rowheader">${chart ? `<a href="${escape(chart)}">` : ''}<bdi>${short(name[0])}</bdi>${others.map(([told]) => `<td role="cell">${short(told)}`).join('')}`).join('')}</tbody></table></div>`;

  const [name, show, least, output] = table.querySelectorAll('input, select, output');
  const heads = table.querySelectorAll('thead th'), grid = table.querySelector('table');
  grid.style.setProperty('--columns', columns.length);
  [...grid.tBodies[0].rows].forEach((row, place) => { rows[place].row = row; });
  const found = { heading: escape(summary), table, focus: table.querySelector('.scroll') };

  let by, down, turns = 0;
  function sort(column) {
    down = by === column ? !down : !!columns[column][2];
    by = column;
    rows.sort((one, other) => {
      const a = one.cells[by][1], b = other.cells[by][1];
      return (a !== a) - (b !== b) || (down ? -1 : 1) * ((a > b) - (a < b));
    });
    heads.forEach((head, place) => { head.ariaSort = place !== by ? 'none' : down ? 'descending' : 'ascending'; });
    arrange();
  }
  function arrange() {
    const wanted = name.value.toLowerCase(), saved = least.valueAsNumber || 0;
    const shown = rows.filter(one => one.name.includes(wanted) && (!show.value || one[show.value]) && (!saved || one.saves >= saved));
    output.value = `${shown.length} of ${rows.length} functions`;
    // Out of the document first: there, each row's move would be noted.
    while (grid.tBodies[0]) grid.tBodies[0].remove();
    grid.append(group(shown.splice(0, GROUP)));
    const turn = ++turns;
    requestAnimationFrame(() => setTimeout(() => {
      if (turn === turns) while (shown.length) grid.append(group(shown.splice(0, GROUP)));
    }));
  }
  sort(columns.findIndex(([heading]) => heading === 'Saves a month'));

  heads.forEach((head, column) => head.addEventListener('click', () => sort(column)));
  table.addEventListener('input', arrange);
  grid.addEventListener('click', event => {
    const link = event.target.closest('tr').querySelector('a');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || getSelection().type === 'Range') return;
    event.preventDefault();
    found.focus = link;
    history.pushState(null, '', link.href);
    dispatchEvent(new Event('popstate'));
    scrollTo(0, 0);
  });
  return found;
}

function group(rows) {
  const group = document.createElement('tbody');
  group.role = 'rowgroup';
  group.style.containIntrinsicBlockSize = `auto ${HIGH * rows.length}rem`;
  group.append(...rows.map(({ row }) => row));
  return group;
}

// The address in this page of a chart that may be linked to on another host.
function chart(link) {
  try {
    const { search, hash } = new URL(link);
    return hash && Object.assign(new URL(location), { search, hash }).href;
  } catch {
    return '';
  }
}
