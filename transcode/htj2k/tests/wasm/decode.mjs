// node decode.mjs MODULE FOLDER BYTES: every case of FOLDER/cases.txt (tests/wasm/cases.rs says what they are) through the module;
// then the rules of the wrapper, that nothing leaks, and that it has no more than BYTES once compressed.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {brotliCompressSync} from 'node:zlib';
import {Code, Decoder, Htj2kError, compile} from '../../js/htj2k.mjs';

const [, , modulePath, folder, compressedBytesMax] = process.argv;
const bytes = readFileSync(modulePath);
const module = await compile(bytes);
const decoder = await Decoder.load(module);
const files = new Map();

function file(name) {
    if (!files.has(name)) files.set(name, readFileSync(join(folder, name)));
    return files.get(name);
}

/** FNV-1a. */
function digest(samples) {
    let hash = 0x811c9dc5;
    for (const byte of new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength)) {
        hash = Math.imul(hash ^ byte, 0x01000193);
    }
    return hash >>> 0;
}

/** One line of cases.txt, read. */
function parse(line) {
    const [name, bytes, changes, reduce, region, prefix, ...outcome] = line.split(' ');
    const [x, y, width, height] = region === '-' ? [] : region.split(',').map(Number);
    return {
        name, outcome: outcome.join(' '), bytes: Number(bytes),
        changes: changes === '-' ? [] : changes.split(',').map((change) => change.split(':').map(Number)),
        options: {
            reduce: Number(reduce), region: region === '-' ? null : {x, y, width, height}, prefix: prefix === '1',
        },
    };
}

function run({name, bytes, changes, options}) {
    const codestream = Uint8Array.prototype.slice.call(file(name), 0, bytes);
    for (const [place, value] of changes) codestream[place] = value;
    decoder.clear();
    decoder.push(codestream);
    try {
        const picture = decoder.decode({...options, view: true});
        const {width, height, components, bits, signed, resolutions, samples} = picture;
        assert.equal(samples.length, width * height * components);
        return [width, height, components, bits, signed ? 1 : 0, resolutions, digest(samples)].join(' ');
    } catch (error) {
        if (!(error instanceof Htj2kError)) throw error;
        assert.ok(error.message.length > 10, error.message);
        return `error ${error.code}`;
    }
}

const cases = readFileSync(join(folder, 'cases.txt'), 'utf8').trim().split('\n').map(parse);
const wrong = cases.map((one) => ({...one, came: run(one)})).filter((one) => one.came !== one.outcome);
assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} of ${cases.length} cases`);

// Again and again: what one round leaves in the heap's gaps the next may need anew, but it does not go on growing.
const again = cases.filter((one) => one.changes.length === 0 && one.name.startsWith('generated'));
for (let round = 0; round < 3; round++) again.forEach(run);
const taken = decoder.memoryBytes;
for (let round = 0; round < 2; round++) again.forEach(run);
assert.equal(decoder.memoryBytes, taken, 'memory grew in later rounds');

// Decoders that come and go leave nothing behind.
const {exports: raw} = await WebAssembly.instantiate(module, {});
const codestream = file('generated-0.j2c');
function life() {
    const handle = raw.htj2k_new(0);
    const to = raw.htj2k_push(handle, codestream.length);
    new Uint8Array(raw.memory.buffer, to, codestream.length).set(codestream);
    assert.notEqual(raw.htj2k_decode(handle, 0, 0, 0, 0, 0, 0), 0);
    raw.htj2k_free(handle);
}
life();
const afterOne = raw.memory.buffer.byteLength;
for (let n = 0; n < 50; n++) life();
assert.equal(raw.memory.buffer.byteLength, afterOne, 'decoders that were freed left memory behind');

// As bytes arrive: the ends of resolution levels are known from the headers, and each gives its level.
decoder.clear();
decoder.reserve(codestream.length);
decoder.push(Uint8Array.from(codestream.subarray(0, 300)).buffer);
const {decompositions, ends, truncated, width, height, bits, signed} = decoder.info();
assert.deepEqual([width, height, bits, signed, truncated], [517, 389, 12, false, true]);
assert.equal(ends.length, decompositions + 1);
assert.equal(ends.at(-1) + 2, codestream.length);
let here = 300;
for (let level = 0; level <= decompositions; level++) {
    if (ends[level] > here) decoder.push(codestream.subarray(here, ends[level]));
    here = Math.max(here, ends[level]);
    const picture = decoder.decode({reduce: decompositions - level, prefix: true});
    assert.ok(picture.resolutions >= level + 1, `${picture.resolutions} levels of ${level + 1} after ${here} bytes`);
}
assert.equal(decoder.info().ends.length, decompositions + 1);

function refused(code, action) {
    assert.throws(action, (error) => error instanceof Htj2kError && error.code === code, `code ${code}`);
}
decoder.clear();
refused(Code.DAMAGED, () => decoder.info());
refused(Code.DAMAGED, () => decoder.decode());
decoder.push(codestream);
refused(Code.BAD_PARAMETERS, () => decoder.decode({reduce: 9}));
refused(Code.BAD_PARAMETERS, () => decoder.decode({region: {x: 600, y: 0, width: 5, height: 5}}));
refused(Code.BAD_PARAMETERS, () => decoder.decode({region: {x: 0, y: 0, width: 0, height: 5}}));
assert.equal(decoder.decode({reduce: 1}).width, 259);
const small = await Decoder.load(module, {samplesMax: 1000});
small.push(codestream);
refused(Code.TOO_LARGE, () => small.decode());
assert.equal(small.decode({reduce: decompositions, prefix: true}).samples.length > 0, true);
small.reset();
refused(Code.DAMAGED, () => small.decode());

// What a viewer waits for before its first pixel.
const compressed = brotliCompressSync(bytes).length;
assert.ok(compressed <= Number(compressedBytesMax), `the module has ${compressed} bytes once compressed`);

console.log(`${cases.length} cases`);
