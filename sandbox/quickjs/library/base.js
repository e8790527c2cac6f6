// What the library uses of the language, kept from before any tool can redefine it.
//
// Nothing below looks up a property of a prototype at run time: `push(list, x)`, never `list.push(x)`, and no template
// literals, which the engine builds with String.prototype.concat.

const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const { apply, ownKeys } = Reflect;
const {
  create: createObject, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, hasOwn, keys: keysOf,
  prototype: objectPrototype,
} = Object;
const {
  Array: ArrayType, ArrayBuffer: BufferType, DataView: ViewType, Date: DateType, DOMException: DOMExceptionType,
  Error: ErrorType, Map: MapType, RangeError: RangeErrorType, RegExp: RegExpType, Set: SetType,
  String: StringType, TypeError: TypeErrorType, Uint8Array: Bytes,
} = global;
const { isArray } = ArrayType;
const { isView } = BufferType;
const { floor, pow } = Math;
const parseNumber = Number.parseInt;
const now = DateType.now;
const { fromCharCode } = StringType;

const join = uncurry(ArrayType.prototype.join);
const pop = uncurry(ArrayType.prototype.pop);
const push = uncurry(ArrayType.prototype.push);
const removeAt = uncurry(ArrayType.prototype.splice);
const sliceList = uncurry(ArrayType.prototype.slice);
const sortList = uncurry(ArrayType.prototype.sort);

const charCode = uncurry(StringType.prototype.charCodeAt);
const codePoint = uncurry(StringType.prototype.codePointAt);
const endsWith = uncurry(StringType.prototype.endsWith);
const findText = uncurry(StringType.prototype.indexOf);
const lowerCase = uncurry(StringType.prototype.toLowerCase);
const padStart = uncurry(StringType.prototype.padStart);
const sliceText = uncurry(StringType.prototype.slice);
const startsWith = uncurry(StringType.prototype.startsWith);
const toText = native.string;
const wellFormed = uncurry(StringType.prototype.toWellFormed);
const numberText = uncurry(Number.prototype.toString);

const mapGet = uncurry(MapType.prototype.get);
const mapHas = uncurry(MapType.prototype.has);
const mapSet = uncurry(MapType.prototype.set);
const mapEach = uncurry(MapType.prototype.forEach);
const setAdd = uncurry(SetType.prototype.add);
const setHas = uncurry(SetType.prototype.has);
const setDelete = uncurry(SetType.prototype.delete);
const setEach = uncurry(SetType.prototype.forEach);

const getterOf = (prototype, name) => uncurry(getOwnPropertyDescriptor(prototype, name).get);
const typedPrototype = Object.getPrototypeOf(Bytes.prototype);
const setBytes = uncurry(typedPrototype.set);
const arrayBuffer = getterOf(typedPrototype, 'buffer');
const arrayOffset = getterOf(typedPrototype, 'byteOffset');
const arrayBytes = getterOf(typedPrototype, 'byteLength');
const arrayLength = getterOf(typedPrototype, 'length');
const viewBuffer = getterOf(ViewType.prototype, 'buffer');
const viewOffset = getterOf(ViewType.prototype, 'byteOffset');
const viewBytes = getterOf(ViewType.prototype, 'byteLength');
// A part of the same bytes.
const part = (bytes, start, end) => new Bytes(arrayBuffer(bytes), arrayOffset(bytes) + start, end - start);
const bufferBytes = getterOf(BufferType.prototype, 'byteLength');

// Defines a global the way the language defines its own: not enumerable, but the tool may replace it.
const expose = (name, value) => {
  defineProperty(global, name, { __proto__: null, value, writable: true, enumerable: false, configurable: true });
};

// Says to Object.prototype.toString what an object is.
const tag = (prototype, name) => {
  defineProperty(prototype, Symbol.toStringTag, { __proto__: null, value: name, configurable: true });
};

const exposeClass = (name, type) => {
  tag(type.prototype, name);
  expose(name, type);
};

// An object of a class of its own, which nothing can make another of.
const methods = (name, functions) => {
  const prototype = createObject(Object.prototype);
  const keys = keysOf(functions);
  for (let i = 0; i < keys.length; i++) {
    defineProperty(prototype, keys[i], { __proto__: null, value: functions[keys[i]], writable: true, configurable: true });
  }
  tag(prototype, name);
  return createObject(prototype);
};

// Calls with fewer arguments than an interface needs fail before anything is converted.
const required = (count, needed, what) => {
  if (count < needed) throw new TypeErrorType(what + ': ' + needed + ' argument' + (needed > 1 ? 's' : '') + ' required, but only ' + count + ' present');
};

const usvString = (value) => wellFormed(toText(value));

// The bytes of an ArrayBuffer or a view of one, not copied.
const bytesOf = (source, what) => {
  const kind = native.kind(source);
  if (kind === 'ArrayBuffer') return new Bytes(source);
  if (kind === 'DataView') return new Bytes(viewBuffer(source), viewOffset(source), viewBytes(source));
  if (isView(source)) return new Bytes(arrayBuffer(source), arrayOffset(source), arrayBytes(source));
  throw new TypeErrorType(what + ' must be an ArrayBuffer or a view of one');
};
