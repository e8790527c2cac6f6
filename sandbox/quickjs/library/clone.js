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
const setStack = uncurry(getOwnPropertyDescriptor(ErrorType.prototype, 'stack').set);

const resizable = getterOf(BufferType.prototype, 'resizable');
const bytesMax = getterOf(BufferType.prototype, 'maxByteLength');
const detached = getterOf(BufferType.prototype, 'detached');

// Objects of this library's own classes have no copy either: each class adds what knows its objects.
const platform = [];

const isPlatform = (value) => {
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

const cloneView = (view, kind, seen) => {
  const data = kind === 'DataView';
  const buffer = cloneValue(data ? viewBuffer(view) : arrayBuffer(view), seen);
  const offset = data ? viewOffset(view) : arrayOffset(view);
  return new viewTypes[kind](buffer, offset, data ? viewBytes(view) : arrayLength(view));
};

const cloneRegExp = (value) => {
  let flags = '';
  for (let i = 0; i < regExpFlags.length; i++) if (regExpFlags[i][1](value)) flags += regExpFlags[i][0];
  return new RegExpType(regExpSource(value), flags);
};

const ownValue = (value, name) => getOwnPropertyDescriptor(value, name)?.value;

const cloneError = (error, seen) => {
  const type = errorTypes[`${error.name}`] ?? ErrorType;
  const message = ownValue(error, 'message');
  const copy = message === undefined ? new type() : new type(`${message}`);
  setStack(copy, stackOf(error));
  mapSet(seen, error, copy);
  if (hasOwn(error, 'cause')) {
    const value = cloneValue(ownValue(error, 'cause'), seen);
    defineProperty(copy, 'cause', { __proto__: null, value, writable: true, configurable: true });
  }
  return copy;
};

const cloneProperties = (value, copy, seen) => {
  const keys = keysOf(value);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i];
    if (!hasOwn(value, key)) continue;
    const inner = cloneValue(value[key], seen);
    defineProperty(copy, key, { __proto__: null, value: inner, writable: true, enumerable: true, configurable: true });
  }
  return copy;
};

const cloneMap = (map, copy, seen) => {
  const entries = [];
  mapEach(map, (value, key) => push(entries, key, value));
  for (let i = 0; i < entries.length; i += 2) {
    const key = cloneValue(entries[i], seen);
    mapSet(copy, key, cloneValue(entries[i + 1], seen));
  }
  return copy;
};

const cloneSet = (set, copy, seen) => {
  const values = [];
  setEach(set, (value) => push(values, value));
  for (let i = 0; i < values.length; i++) setAdd(copy, cloneValue(values[i], seen));
  return copy;
};

// An object that holds no others; undefined if it may.
const cloneFlat = (value, kind) => {
  switch (kind) {
    case 'Number': case 'String': case 'Boolean': case 'BigInt': return toObject(boxed[kind](value));
    case 'Date': return new DateType(dateValue(value));
    case 'RegExp': return cloneRegExp(value);
    case 'ArrayBuffer': return cloneBuffer(value);
    case 'DOMException': return new DOMExceptionType(value.message, value.name);
    default: return undefined;
  }
};

const cloneValue = (value, seen) => {
  if (typeof value === 'symbol') throw new Uncloneable('a symbol');
  if (typeof value === 'function') throw new Uncloneable('a function');
  if (typeof value !== 'object' || value === null) return value;
  if (mapHas(seen, value)) return mapGet(seen, value);
  const kind = native.kind(value);
  if (kind === undefined || isPlatform(value)) throw new Uncloneable('an object that is not plain data');
  let copy = viewTypes[kind] === undefined ? cloneFlat(value, kind) : cloneView(value, kind, seen);
  if (copy === undefined && kind === 'Error') return cloneError(value, seen);
  const flat = copy !== undefined;
  if (kind === 'Map') copy = new MapType();
  else if (kind === 'Set') copy = new SetType();
  else if (kind === 'Array') copy = new ArrayType(value.length);
  else if (!flat) copy = {};
  mapSet(seen, value, copy);
  if (flat) return copy;
  if (kind === 'Map') return cloneMap(value, copy, seen);
  if (kind === 'Set') return cloneSet(value, copy, seen);
  return cloneProperties(value, copy, seen);
};

expose('structuredClone', function structuredClone(value, options = undefined) {
  required(arguments.length, 1, 'structuredClone');
  const transfer = options?.transfer;
  if (transfer !== undefined && !(isArray(transfer) && transfer.length === 0)) {
    throw new DOMExceptionType('structuredClone: a tool has nobody to transfer to; leave `transfer` out', 'DataCloneError');
  }
  try {
    return cloneValue(value, new MapType());
  } catch (error) {
    if (!(error instanceof Uncloneable)) throw error;
    throw new DOMExceptionType(`structuredClone: ${error.what} cannot be cloned`, 'DataCloneError');
  }
});
