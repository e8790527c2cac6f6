// crypto: random bytes from the host, and digests.

const RANDOM_BYTES_MAX = 65536;
const RANDOM_KINDS = new SetType([
  'Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array',
  'BigInt64Array', 'BigUint64Array',
]);
const DIGESTS = { __proto__: null, 'sha-1': 0, 'sha-256': 1, 'sha-384': 2, 'sha-512': 3 };

const fill = (bytes) => {
  if (!native.random(bytes)) {
    throw new ErrorType('no random bytes can be had here: at the top level of a module there is no call; ask inside the exported function');
  }
};

const subtle = methods('SubtleCrypto', {
  async digest(algorithm, data) {
    required(arguments.length, 2, 'digest');
    const name = toText(typeof algorithm === 'object' && algorithm !== null ? algorithm.name : algorithm);
    const which = DIGESTS[lowerCase(name)];
    if (which === undefined) {
      throw new DOMExceptionType('digest: ' + name + ' is not available; SHA-1, SHA-256, SHA-384 and SHA-512 are', 'NotSupportedError');
    }
    return native.digest(bytesOf(data, 'digest: the data'), which);
  },
});

const crypto = methods('Crypto', {
  getRandomValues(array) {
    required(arguments.length, 1, 'getRandomValues');
    if (!setHas(RANDOM_KINDS, native.kind(array))) {
      throw new DOMExceptionType('getRandomValues: the array must be a typed array of integers', 'TypeMismatchError');
    }
    const bytes = bytesOf(array);
    if (arrayBytes(bytes) > RANDOM_BYTES_MAX) {
      throw new DOMExceptionType('getRandomValues: at most ' + RANDOM_BYTES_MAX + ' bytes at a time', 'QuotaExceededError');
    }
    fill(bytes);
    return array;
  },

  randomUUID() {
    const bytes = new Bytes(16);
    fill(bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = '';
    for (let i = 0; i < 16; i++) {
      if (i === 4 || i === 6 || i === 8 || i === 10) text += '-';
      text += padStart(numberText(bytes[i], 16), 2, '0');
    }
    return text;
  },
});
defineProperty(Object.getPrototypeOf(crypto), 'subtle', { __proto__: null, configurable: true, get: () => subtle });
expose('crypto', crypto);
