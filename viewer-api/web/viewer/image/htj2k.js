// HTJ2K in browsers and Node: the module built from this crate (src/wasm.rs has the command and the C interface), wrapped.
//
//   const decoder = await Decoder.load(fetch('htj2k.wasm'));      // or bytes, or a WebAssembly.Module
//   decoder.push(bytes);                                          // as they arrive
//   const {width, height, ends} = decoder.info();
//   const preview = decoder.decode({reduce: 2, prefix: true});    // from what is here
//   const picture = decoder.decode();                             // all of it; else an Htj2kError says why not
//   decoder.clear();                                              // the next codestream
//
// One decoder is one WebAssembly instance, for one thread. It keeps its memory from picture to picture; reset() gives it up.

/** What `Htj2kError.code` says. */
export const Code = Object.freeze({
    DAMAGED: 1, UNSUPPORTED: 2, NOT_HTJ2K: 3, TOO_LARGE: 4, BAD_PARAMETERS: 5, NO_MEMORY: 6, TRAPPED: 7,
});

/** A codestream that cannot be decoded, or not like this: `message` is a sentence, `code` one of `Code`. */
export class Htj2kError extends Error {
    constructor(code, message) {
        super(message);
        this.name = 'Htj2kError';
        this.code = code;
    }
}

/** Compiles the module once, for several decoders: `source` is bytes, a Response, or a promise of either. */
export async function compile(source) {
    const from = await source;
    if (from instanceof WebAssembly.Module) return from;
    if (typeof Response === 'undefined' || !(from instanceof Response)) return WebAssembly.compile(from);
    if (!from.ok) throw new Error(`the decoder module was not delivered: ${from.status} ${from.statusText}`);
    // Streaming asks for application/wasm; another type is compiled all the same.
    const isWasm = from.headers.get('content-type')?.split(';')[0].trim() === 'application/wasm';
    return isWasm ? WebAssembly.compileStreaming(from) : WebAssembly.compile(await from.arrayBuffer());
}

// Places in the words of src/wasm.rs.
const INFO_WORDS = 10;
const PICTURE_WORDS = 9;

export class Decoder {
    #module;
    #samplesMax;
    #wasm;
    #handle;

    /** `source` as for `compile`. A picture of more than `samplesMax` samples is refused before any memory is taken. */
    static async load(source, {samplesMax = 0} = {}) {
        const module = await compile(source);
        const decoder = new Decoder();
        decoder.#module = module;
        decoder.#samplesMax = samplesMax;
        decoder.#begin(await WebAssembly.instantiate(module, {}));
        return decoder;
    }

    #begin(instance) {
        this.#wasm = instance.exports;
        this.#handle = this.#wasm.htj2k_new(this.#samplesMax) >>> 0;
    }

    /** Calls an exported function; a trap ends the instance, and a new one without a codestream takes its place. */
    #call(name, ...numbers) {
        try {
            return this.#wasm[name](this.#handle, ...numbers) >>> 0;
        } catch (error) {
            if (!(error instanceof WebAssembly.RuntimeError)) throw error;
            this.reset();
            throw new Htj2kError(Code.TRAPPED, `the decoder stopped, most likely for want of memory: ${error.message}`);
        }
    }

    #error() {
        const code = this.#call('htj2k_error_code');
        const [from, length] = [this.#call('htj2k_error_message'), this.#call('htj2k_error_length')];
        const message = new TextDecoder().decode(new Uint8Array(this.#wasm.memory.buffer, from, length).slice());
        return new Htj2kError(code, message);
    }

    #words(from, count) {
        return new Uint32Array(this.#wasm.memory.buffer, from, count);
    }

    /** Room for a codestream of so many bytes, where its length is known before. */
    reserve(bytes) {
        if (this.#call('htj2k_reserve', bytes)) throw this.#error();
    }

    /** The next bytes of the codestream: a Uint8Array or ArrayBuffer, copied. */
    push(bytes) {
        const from = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
        const to = this.#call('htj2k_push', from.length);
        if (!to) throw this.#error();
        new Uint8Array(this.#wasm.memory.buffer, to, from.length).set(from);
    }

    /** Forgets the codestream. */
    clear() {
        this.#call('htj2k_clear');
    }

    /**
     * What the headers say. `ends[n]` is the byte after which resolution level n, lowest first, is complete: of all
     * levels where the codestream announces them, else of those that are here. decode({reduce: ends.length - 1 - n})
     * needs so many bytes if `ends` has all `decompositions + 1` levels.
     */
    info() {
        const at = this.#call('htj2k_info');
        if (!at) throw this.#error();
        const [width, height, components, bits, signed, decompositions, reversible, truncated, tiles, count] =
            this.#words(at, INFO_WORDS);
        const ends = Array.from(this.#words(at + 4 * INFO_WORDS, count));
        return {
            width, height, components, bits, signed: signed === 1, decompositions, reversible: reversible === 1,
            truncated: truncated === 1, tiles, ends,
        };
    }

    /**
     * Decodes without the `reduce` highest resolution levels, all or the `region` {x, y, width, height} of the reduced
     * picture. With `prefix` a codestream that is not all here gives what it holds; `resolutions` of the answer says how
     * many levels were whole. Samples are row by row, the components of a pixel beside each other, in a Uint8Array or
     * Int8Array up to 8 bits, else Uint16Array or Int16Array. With `view` they stand in the decoder's own memory, until
     * the next call of any of its methods.
     */
    decode({reduce = 0, region = null, prefix = false, view = false} = {}) {
        const {x, y, width: across, height: down} = region ?? {x: 0, y: 0, width: 0, height: 0};
        const rectangle = region ? [x, y, x + across, y + down] : [0, 0, 0, 0];
        if (region && !(across > 0 && down > 0)) {
            throw new Htj2kError(Code.BAD_PARAMETERS, 'a region has at least one column and one row');
        }
        const at = this.#call('htj2k_decode', reduce, ...rectangle, prefix ? 1 : 0);
        if (!at) throw this.#error();
        const [width, height, components, bits, signed, , resolutions, from, bytes] = this.#words(at, PICTURE_WORDS);
        const Samples = bits > 8 ? (signed ? Int16Array : Uint16Array) : signed ? Int8Array : Uint8Array;
        const own = new Samples(this.#wasm.memory.buffer, from, bytes / Samples.BYTES_PER_ELEMENT);
        const samples = view ? own : own.slice();
        return {width, height, components, bits, signed: signed === 1, resolutions, samples};
    }

    /** Bytes of memory that the instance has taken; it never gives back a part. */
    get memoryBytes() {
        return this.#wasm.memory.buffer.byteLength;
    }

    /** A new instance: the codestream is forgotten and the memory given up. */
    reset() {
        this.#begin(new WebAssembly.Instance(this.#module, {}));
    }
}
