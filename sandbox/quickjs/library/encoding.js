// TextEncoder and TextDecoder: UTF-8 only.

class TextEncoder {
  #brand = true;

  get encoding() {
    this.#brand;
    return 'utf-8';
  }

  encode(input = '') {
    this.#brand;
    return native.utf8(toText(input));
  }

  encodeInto(source, destination) {
    this.#brand;
    required(arguments.length, 2, 'encodeInto');
    const text = toText(source);
    if (native.kind(destination) !== 'Uint8Array') throw new TypeErrorType('encodeInto: the destination must be a Uint8Array');
    const room = arrayBytes(destination);
    let read = 0;
    let written = 0;
    while (read < text.length) {
      const point = codePoint(text, read);
      const size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
      if (written + size > room) break;
      written += size;
      read += size === 4 ? 2 : 1;
    }
    setBytes(destination, native.utf8(sliceText(text, 0, read)));
    return { read, written };
  }
}

const UTF8_LABELS = new SetType(['utf-8', 'utf8', 'unicode-1-1-utf-8', 'unicode11utf8', 'unicode20utf8', 'x-unicode20utf8']);

const trimBlank = (text) => {
  let start = 0;
  let end = text.length;
  const blank = (at) => findText('\t\n\f\r ', text[at]) >= 0;
  while (start < end && blank(start)) start++;
  while (end > start && blank(end - 1)) end--;
  return sliceText(text, start, end);
};

// How many bytes at the end may be the start of a character.
const unfinished = (bytes) => {
  const length = arrayBytes(bytes);
  for (let back = 1; back <= 3 && back <= length; back++) {
    const byte = bytes[length - back];
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const size = byte >= 0xf5 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
    if (back >= size) return 0;
    // A second byte that cannot follow the first makes it malformed now.
    const second = back > 1 ? bytes[length - back + 1] : 0x90;
    const low = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
    const high = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
    return back > 1 && (second < low || second > high) ? 0 : back;
  }
  return 0;
};

class TextDecoder {
  #fatal;
  #ignoreBOM;
  // Bytes of an unfinished character, and whether the text's first character is still to come.
  #rest = null;
  #start = true;

  constructor(label = 'utf-8', options = undefined) {
    const name = lowerCase(trimBlank(toText(label)));
    if (!setHas(UTF8_LABELS, name)) throw new RangeErrorType('TextDecoder: only utf-8 is available, not ' + name);
    this.#fatal = !!options?.fatal;
    this.#ignoreBOM = !!options?.ignoreBOM;
  }

  get encoding() {
    this.#fatal;
    return 'utf-8';
  }

  get fatal() {
    return this.#fatal;
  }

  get ignoreBOM() {
    return this.#ignoreBOM;
  }

  decode(input = undefined, options = undefined) {
    const stream = !!options?.stream;
    let bytes = input === undefined ? new Bytes(0) : bytesOf(input, 'decode: the input');
    if (this.#rest !== null) {
      const rest = this.#rest;
      const all = new Bytes(arrayBytes(rest) + arrayBytes(bytes));
      setBytes(all, rest);
      setBytes(all, bytes, arrayBytes(rest));
      bytes = all;
    }
    const kept = stream ? unfinished(bytes) : 0;
    const end = arrayBytes(bytes) - kept;
    let text = native.text(part(bytes, 0, end), this.#fatal);
    this.#rest = kept > 0 ? new Bytes(part(bytes, end, end + kept)) : null;
    if (text === undefined) {
      this.#rest = null;
      this.#start = true;
      throw new TypeErrorType('decode: the data is not valid UTF-8');
    }
    if (this.#start && text.length > 0) {
      if (!this.#ignoreBOM && charCode(text, 0) === 0xfeff) text = sliceText(text, 1);
      this.#start = false;
    }
    if (!stream) this.#start = true;
    return text;
  }
}

exposeClass('TextEncoder', TextEncoder);
exposeClass('TextDecoder', TextDecoder);
