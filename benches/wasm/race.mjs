// The decoder module against npm's @cornerstonejs/codec-openjph, in turn in one process, on one thread:
//
//   (the module as transcode/htj2k/src/wasm.rs says, in target/wasm32-unknown-unknown/wasm)
//   cargo run --release -p htj2k --example htj2k -- encode --raw 4096,6144,1,12,u FRAME.raw -o FRAME.j2c
//   npm install --prefix .node @cornerstonejs/codec-openjph@2.4.11
//   node benches/wasm/race.mjs FRAME.j2c [FRAME.raw] [--module FILE] [--rounds 5] [--json]
//
// The samples of both are compared with each other, and with FRAME.raw where it is given. Times run from bytes outside to
// samples inside the module, as a viewer sees them; the first round of each is not counted. `ratio` is our median over
// theirs, of CPU time, which a busy machine disturbs less than the clock; `wall` beside it is the same by the clock.
// Sizes are those of the files and of them compressed as a server would (brotli 11).

import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {brotliCompressSync} from 'node:zlib';
import {Decoder} from '../../transcode/htj2k/js/htj2k.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const {values: options, positionals: [codestreamPath, rawPath]} = parseArgs({
    allowPositionals: true,
    options: {
        module: {type: 'string', default: join(root, 'target/wasm32-unknown-unknown/wasm/htj2k.wasm')},
        peers: {type: 'string', default: process.env.CODEC_OPENJPH_DIR ?? join(root, '.node')},
        rounds: {type: 'string', default: '5'},
        json: {type: 'boolean', default: false},
    },
});
if (!codestreamPath) {
    console.error('node benches/wasm/race.mjs FRAME.j2c [FRAME.raw] [--module FILE] [--peers DIR] [--rounds 5] [--json]');
    process.exit(2);
}

const codestream = readFileSync(codestreamPath);
const ours = await Decoder.load(readFileSync(options.module));
const require = createRequire(join(options.peers, 'node_modules/'));
const peer = require.resolve('@cornerstonejs/codec-openjph');
const theirs = new (await require(peer)()).HTJ2KDecoder();

const contenders = {
    htj2k() {
        ours.clear();
        ours.reserve(codestream.length);
        ours.push(codestream);
        return ours.decode({view: true}).samples;
    },
    openjph() {
        theirs.getEncodedBuffer(codestream.length).set(codestream);
        theirs.decode();
        return theirs.getDecodedBuffer();
    },
};

const bytesOf = (samples) => Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
const median = (times) => times.toSorted((a, b) => a - b)[times.length >> 1];

function timed(decode) {
    const [cpu, wall] = [process.cpuUsage(), performance.now()];
    decode();
    const {user, system} = process.cpuUsage(cpu);
    return {cpu: (user + system) / 1000, wall: performance.now() - wall};
}

const expected = rawPath ? readFileSync(rawPath) : Buffer.from(bytesOf(contenders.openjph()));
for (const [name, decode] of Object.entries(contenders)) {
    if (!bytesOf(decode()).equals(expected)) throw new Error(`${name} gives other samples`);
}

const times = {htj2k: [], openjph: []};
for (let round = 0; round < Number(options.rounds); round++) {
    for (const [name, decode] of Object.entries(contenders)) times[name].push(timed(decode));
}
const [cpu, wall] = ['cpu', 'wall'].map((kind) =>
    Object.fromEntries(Object.entries(times).map(([name, each]) => [name, median(each.map((one) => one[kind]))])));

const size = (path) => ({bytes: readFileSync(path).length, brotli: brotliCompressSync(readFileSync(path)).length});
const sizes = {
    module: size(options.module),
    wrapper: size(join(root, 'transcode/htj2k/js/htj2k.mjs')),
    openjph_module: size(peer.replace(/\.js$/, '.wasm')),
    openjph_wrapper: size(peer),
};
const report = {
    ratio: cpu.htj2k / cpu.openjph, wall_ratio: wall.htj2k / wall.openjph, cpu_ms: cpu, wall_ms: wall,
    memory_bytes: ours.memoryBytes, sizes,
};

console.log(`${codestreamPath}: ${codestream.length} bytes, ${expected.length} bytes of samples, equal`);
for (const name of Object.keys(times)) {
    const each = times[name].map((one) => one.cpu.toFixed(0)).join(' ');
    console.log(`${name.padEnd(8)} ${cpu[name].toFixed(1)} ms of CPU (${each}), ${wall[name].toFixed(1)} ms by the clock`);
}
console.log(`ratio ${report.ratio.toFixed(3)} of CPU, ${report.wall_ratio.toFixed(3)} by the clock`);
for (const [name, {bytes, brotli}] of Object.entries(sizes)) console.log(`${name}: ${bytes} bytes, brotli ${brotli}`);
if (options.json) console.log(JSON.stringify(report));
