export class Page {
__destroy_into_raw() {
const ptr = this.__wbg_ptr;
this.__wbg_ptr = 0;
$37.unregister(this);
return ptr;
}
free() {
const ptr = this.__destroy_into_raw();
wasm.__wbg_page_free(ptr, 0);
}
act(action, run, value) {
let $31;
let $32;
try {
const val3 = +run;
let ptr0, len0, ptr1, len1;
try {
ptr0 = $46(action, wasm.__wbindgen_malloc, wasm.__wbindgen_realloc);
len0 = $50;
ptr1 = $46(value, wasm.__wbindgen_malloc, wasm.__wbindgen_realloc);
len1 = $50;
} catch (e) {
if (ptr1) { wasm.__wbindgen_free(ptr1, len1 * 1, 1); }
if (ptr0) { wasm.__wbindgen_free(ptr0, len0 * 1, 1); }
throw e;
}
const ret = wasm.page_act(this.__wbg_ptr, ptr0, len0, val3, ptr1, len1);
var ptr4 = ret[0];
var len4 = ret[1];
if (ret[3]) {
ptr4 = 0; len4 = 0;
throw $47(ret[2]);
}
$31 = ptr4;
$32 = len4;
return $41(ptr4, len4);
} finally {
wasm.__wbindgen_free($31, $32, 1);
}
}
draw(canvas, ratio, dark, line) {
wasm.page_draw(this.__wbg_ptr, canvas, ratio, dark, $45(line) ? Number.MAX_SAFE_INTEGER : (line) >>> 0);
}
nearest(canvas, ratio, column) {
const ret = wasm.page_nearest(this.__wbg_ptr, canvas, ratio, column);
return ret >>> 0;
}
constructor(hash, query) {
let ptr0, len0, ptr1, len1;
try {
ptr0 = $46(hash, wasm.__wbindgen_malloc, wasm.__wbindgen_realloc);
len0 = $50;
ptr1 = $46(query, wasm.__wbindgen_malloc, wasm.__wbindgen_realloc);
len1 = $50;
} catch (e) {
if (ptr1) { wasm.__wbindgen_free(ptr1, len1 * 1, 1); }
if (ptr0) { wasm.__wbindgen_free(ptr0, len0 * 1, 1); }
throw e;
}
const ret = wasm.page_new(ptr0, len0, ptr1, len1);
this.__wbg_ptr = ret;
$37.register(this, this.__wbg_ptr, this);
return this;
}
stops() {
const ret = wasm.page_stops(this.__wbg_ptr);
var v1 = $39(ret[0], ret[1]).slice();
wasm.__wbindgen_free(ret[0], ret[1] * 4, 4);
return v1;
}
text(id, size) {
let $33;
let $34;
try {
const val2 = +size;
const ptr0 = $46(id, wasm.__wbindgen_malloc, wasm.__wbindgen_realloc);
const len0 = $50;
const ret = wasm.page_text(this.__wbg_ptr, ptr0, len0, val2);
$33 = ret[0];
$34 = ret[1];
return $41(ret[0], ret[1]);
} finally {
wasm.__wbindgen_free($33, $34, 1);
}
}
}
if (Symbol.dispose) Page.prototype[Symbol.dispose] = Page.prototype.free;
export function $28(arg0, arg1) {
const obj = arg1;
const ret = typeof(obj) === 'string' ? obj : undefined;
var ptr1 = $45(ret) ? 0 : $46(ret, wasm.__wbindgen_malloc, wasm.__wbindgen_realloc);
var len1 = $50;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
}
export function $27(arg0, arg1) {
throw new Error($41(arg0, arg1));
}
export function $14() { return $44(function (arg0, arg1, arg2, arg3, arg4, arg5) {
arg0.arc(arg1, arg2, arg3, arg4, arg5);
}, arguments); }
export function $4(arg0) {
arg0.beginPath();
}
export function $5(arg0, arg1, arg2, arg3, arg4) {
arg0.clearRect(arg1, arg2, arg3, arg4);
}
export function $6(arg0) {
arg0.closePath();
}
export function $23(arg0, arg1, arg2, arg3, arg4) {
arg0.fillRect(arg1, arg2, arg3, arg4);
}
export function $24() { return $44(function (arg0, arg1, arg2, arg3, arg4) {
arg0.fillText($41(arg1, arg2), arg3, arg4);
}, arguments); }
export function $15(arg0) {
arg0.fill();
}
export function $0() { return $44(function (arg0, arg1, arg2) {
const ret = arg0.getContext($41(arg1, arg2));
return $45(ret) ? 0 : $38(ret);
}, arguments); }
export function $2(arg0) {
const ret = arg0.height;
return ret;
}
export function $3(arg0) {
let $35;
try {
$35 = arg0 instanceof CanvasRenderingContext2D;
} catch (_) {
$35 = false;
}
const ret = $35;
return ret;
}
export function $19(arg0, arg1, arg2) {
arg0.lineTo(arg1, arg2);
}
export function $20(arg0, arg1, arg2) {
arg0.moveTo(arg1, arg2);
}
export function $11() { return $44(function (arg0) {
arg0.resetTransform();
}, arguments); }
export function $21(arg0) {
arg0.restore();
}
export function $17() { return $44(function (arg0, arg1) {
arg0.rotate(arg1);
}, arguments); }
export function $16(arg0) {
arg0.save();
}
export function $8(arg0, arg1) {
arg0.fillStyle = arg1;
}
export function $22(arg0, arg1, arg2) {
arg0.font = $41(arg1, arg2);
}
export function $9(arg0, arg1) {
arg0.lineWidth = arg1;
}
export function $12(arg0, arg1) {
arg0.strokeStyle = arg1;
}
export function $10(arg0, arg1, arg2) {
arg0.textAlign = $41(arg1, arg2);
}
export function $13(arg0, arg1, arg2) {
arg0.textBaseline = $41(arg1, arg2);
}
export function $26() { return $44(function (arg0) {
const ret = JSON.stringify(arg0);
return ret;
}, arguments); }
export function $7(arg0, arg1, arg2, arg3, arg4) {
arg0.strokeRect(arg1, arg2, arg3, arg4);
}
export function $18(arg0) {
arg0.stroke();
}
export function $25() { return $44(function (arg0, arg1, arg2) {
arg0.translate(arg1, arg2);
}, arguments); }
export function $1(arg0) {
const ret = arg0.width;
return ret;
}
export function $30(arg0, arg1) {
const ret = $41(arg0, arg1);
return ret;
}
export function $29() {
const $36 = wasm.__wbindgen_externrefs;
$36.set(0, undefined);
$36.set(1024, undefined);
$36.set(1025, null);
$36.set(1026, true);
$36.set(1027, false);
}
const $37 = (typeof FinalizationRegistry === 'undefined')
? { register: () => {}, unregister: () => {} }
: new FinalizationRegistry(ptr => wasm.__wbg_page_free(ptr, 1));
function $38(obj) {
const idx = wasm.__externref_table_alloc();
wasm.__wbindgen_externrefs.set(idx, obj);
return idx;
}
function $39(ptr, len) {
ptr = ptr >>> 0;
return getUint32ArrayMemory0().subarray(ptr / 4, ptr / 4 + len);
}
let $40 = null;
function getDataViewMemory0() {
if ($40 === null || $40.buffer.detached === true || ($40.buffer.detached === undefined && $40.buffer !== wasm.memory.buffer)) {
$40 = new DataView(wasm.memory.buffer);
}
return $40;
}
function $41(ptr, len) {
ptr = ptr >>> 0;
return decodeText(getUint8ArrayMemory0().subarray(ptr, ptr + len));
}
let $42 = null;
function getUint32ArrayMemory0() {
if ($42 === null || $42.byteLength === 0) {
$42 = new Uint32Array(wasm.memory.buffer);
}
return $42;
}
let $43 = null;
function getUint8ArrayMemory0() {
if ($43 === null || $43.byteLength === 0) {
$43 = new Uint8Array(wasm.memory.buffer);
}
return $43;
}
function $44(f, args) {
try {
return f.apply(this, args);
} catch (e) {
const idx = $38(e);
wasm.__wbindgen_exn_store(idx);
}
}
function $45(x) {
return x === undefined || x === null;
}
function $46(arg, malloc, realloc) {
if (realloc === undefined) {
const buf = $49.encode(arg);
const ptr = malloc(buf.length, 1) >>> 0;
getUint8ArrayMemory0().subarray(ptr, ptr + buf.length).set(buf);
$50 = buf.length;
return ptr;
}
let len = arg.length;
let ptr = malloc(len, 1) >>> 0;
const mem = getUint8ArrayMemory0();
let offset = 0;
for (; offset < len; offset++) {
const code = arg.charCodeAt(offset);
if (code > 0x7F) break;
mem[ptr + offset] = code;
}
if (offset !== len) {
if (offset !== 0) {
arg = arg.slice(offset);
}
ptr = realloc(ptr, len, len = offset + arg.length * 3, 1) >>> 0;
const view = getUint8ArrayMemory0().subarray(ptr + offset, ptr + len);
const ret = $49.encodeInto(arg, view);
offset += ret.written;
ptr = realloc(ptr, len, offset, 1) >>> 0;
}
$50 = offset;
return ptr;
}
function $47(idx) {
const value = wasm.__wbindgen_externrefs.get(idx);
wasm.__externref_table_dealloc(idx);
return value;
}
let $48 = new TextDecoder('utf-8', { ignoreBOM: true });
$48.decode();
const MAX_SAFARI_DECODE_BYTES = 2146435072;
let numBytesDecoded = 0;
function decodeText(bytes) {
numBytesDecoded += bytes.length;
if (numBytesDecoded >= MAX_SAFARI_DECODE_BYTES) {
$48 = new TextDecoder('utf-8', { ignoreBOM: true });
$48.decode();
numBytesDecoded = bytes.length;
}
return $48.decode(bytes);
}
const $49 = new TextEncoder();
let $50 = 0;
let wasm;
export function __wbg_set_wasm(val) {
wasm = val;
}
