// structuredClone, without transfer: there is nobody to transfer to.

const dateValue = uncurry(DateType.prototype.getTime);
const regExpSource = getterOf(RegExpType.prototype, 'source');
const regExpFlags = [];
for (const [letter, name] of [
  ['d', 'hasIndices'], ['g', 'global'], ['i', 'ignoreCase'], ['m', 'multiline'],
  ['s', 'dotAll'], ['u', 'unicode'], ['v', 'unicodeSets'], ['y', 'sticky'],
]) push(regExpFlags, [letter, getterOf(RegExpType.prototype, name)]);

const boxed = { __proto__: null };
for (const name of ['Number', 'String', 'Boolean', 'BigInt']) boxed[name] = uncurry(global[name].prototype.valueOf);
const toObject = Object;

const viewTypes = { __proto__: null, DataView: ViewType };
for (const name of [
  'Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array',
  'BigInt64Array', 'BigUint64Array', 'Float16Array', 'Float32Array', 'Float64Array',
]) viewTypes[name] = global[name];

const errorTypes = { __proto__: null };
for (const name of ['Error', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError']) {
  errorTypes[name] = global[name];
}
const stackOf = getterOf(ErrorType.prototype, 'stack');

const resizable = getterOf(BufferType.prototype, 'resizable');
const bytesMax = getterOf(BufferType.prototype, 'maxByteLength');
const detached = getterOf(BufferType.prototype, 'detached');

// Objects of this library's own classes have no copy either: each class adds what knows its objects.
const platform = [];

const isPlatform = (value) => {
  const prototype = getPrototypeOf(value);
  if (prototype === objectPrototype || prototype === null) return false;
  for (let i = 0; i < platform.length; i++) if (platform[i](value)) return true;
  return false;
};

// Thrown by the walk, and turned into the error at its top: errors keep only their innermost frames, and those of
// the tool are what its author needs.
class Uncloneable {
  constructor(what) {
    this.what = what;
  }
}

const cloneBuffer = (buffer) => {
  if (detached(buffer)) throw new Uncloneable('a detached ArrayBuffer');
  const length = bufferBytes(buffer);
  const copy = resizable(buffer)
    ? new BufferType(length, { __proto__: null, maxByteLength: bytesMax(buffer) })
    : new BufferType(length);
  setBytes(new Bytes(copy), new Bytes(buffer));
  return copy;
};

const cloneView = (view, kind, walk) => {
  const data = kind === 'DataView';
  const buffer = copyOf(data ? viewBuffer(view) : arrayBuffer(view), walk);
  const offset = data ? viewOffset(view) : arrayOffset(view);
  return new viewTypes[kind](buffer, offset, data ? viewBytes(view) : arrayLength(view));
};

const cloneRegExp = (value) => {
  let flags = '';
  for (let i = 0; i < regExpFlags.length; i++) if (regExpFlags[i][1](value)) flags += regExpFlags[i][0];
  return new RegExpType(regExpSource(value), flags);
};

const ownValue = (value, name) => getOwnPropertyDescriptor(value, name)?.value;

const newError = (error) => {
  const type = errorTypes[toText(error.name)] ?? ErrorType;
  const message = ownValue(error, 'message');
  const copy = message === undefined ? new type() : new type(toText(message));
  defineProperty(copy, 'stack', { __proto__: null, value: stackOf(error), writable: true, configurable: true });
  return copy;
};

// What an object of each kind starts as, and what then fills it.
const shells = {
  __proto__: null,
  Map: () => new MapType(),
  Set: () => new SetType(),
  Array: (value) => new ArrayType(value.length),
  Object: () => ({}),
  Error: newError,
};

const fillProperties = (value, copy, walk) => {
  const keys = keysOf(value);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i];
    if (!hasOwn(value, key)) continue;
    native.define(copy, key, copyOf(value[key], walk));
  }
};

const fills = {
  __proto__: null,
  Map(map, copy, walk) {
    const entries = [];
    mapEach(map, (value, key) => push(entries, key, value));
    for (let i = 0; i < entries.length; i += 2) mapSet(copy, copyOf(entries[i], walk), copyOf(entries[i + 1], walk));
  },
  Set(set, copy, walk) {
    const values = [];
    setEach(set, (value) => push(values, value));
    for (let i = 0; i < values.length; i++) setAdd(copy, copyOf(values[i], walk));
  },
  Array: fillProperties,
  Object: fillProperties,
  Error(error, copy, walk) {
    if (!hasOwn(error, 'cause')) return;
    const value = copyOf(ownValue(error, 'cause'), walk);
    defineProperty(copy, 'cause', { __proto__: null, value, writable: true, configurable: true });
  },
};

// An object that holds no others.
const cloneFlat = (value, kind) => {
  switch (kind) {
    case 'Number': case 'String': case 'Boolean': case 'BigInt': return toObject(boxed[kind](value));
    case 'Date': return new DateType(dateValue(value));
    case 'RegExp': return cloneRegExp(value);
    case 'ArrayBuffer': return cloneBuffer(value);
    default: return new DOMExceptionType(value.message, value.name);
  }
};

// The copy of a value. Objects it holds are only begun: `walk.open` says which are to be filled.
const copyOf = (value, walk) => {
  if (typeof value === 'symbol') throw new Uncloneable('a symbol');
  if (typeof value === 'function') throw new Uncloneable('a function');
  if (typeof value !== 'object' || value === null) return value;
  if (mapHas(walk.seen, value)) return mapGet(walk.seen, value);
  const kind = native.kind(value);
  if (kind === undefined || isPlatform(value)) throw new Uncloneable('an object that is not plain data');
  const shell = shells[kind];
  const copy = shell !== undefined ? shell(value)
    : viewTypes[kind] !== undefined ? cloneView(value, kind, walk) : cloneFlat(value, kind);
  mapSet(walk.seen, value, copy);
  if (shell !== undefined) push(walk.open, kind, value, copy);
  return copy;
};

// Object by object, not by recursion: data may be nested deeper than the stack is.
const cloneValue = (value) => {
  const walk = { __proto__: null, seen: new MapType(), open: [] };
  const copy = copyOf(value, walk);
  for (let i = 0; i < walk.open.length; i += 3) fills[walk.open[i]](walk.open[i + 1], walk.open[i + 2], walk);
  return copy;
};

expose('structuredClone', function structuredClone(value, options = undefined) {
  required(arguments.length, 1, 'structuredClone');
  const transfer = options?.transfer;
  if (transfer !== undefined && !(isArray(transfer) && transfer.length === 0)) {
    throw new DOMExceptionType('structuredClone: a tool has nobody to transfer to; leave `transfer` out', 'DataCloneError');
  }
  try {
    return cloneValue(value);
  } catch (error) {
    if (!(error instanceof Uncloneable)) throw error;
    throw new DOMExceptionType('structuredClone: ' + error.what + ' cannot be cloned', 'DataCloneError');
  }
});
