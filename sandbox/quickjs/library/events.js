// Event and EventTarget (DOM Standard, section 2), without a tree: an event has one target.

const NONE = 0;
const AT_TARGET = 2;
let eventParts;

class Event {
  #parts;

  static {
    eventParts = (event) => event.#parts;
    push(platform, (value) => #parts in value);
  }

  constructor(type, options = undefined) {
    required(arguments.length, 1, 'Event');
    this.#parts = {
      __proto__: null, type: toText(type), bubbles: !!options?.bubbles, cancelable: !!options?.cancelable,
      composed: !!options?.composed, target: null, currentTarget: null, phase: NONE, stopped: false, canceled: false,
      passive: false, time: now() - native.started(),
    };
  }

  get type() { return this.#parts.type; }

  get target() { return this.#parts.target; }

  get currentTarget() { return this.#parts.currentTarget; }

  get bubbles() { return this.#parts.bubbles; }

  get cancelable() { return this.#parts.cancelable; }

  get composed() { return this.#parts.composed; }

  get defaultPrevented() { return this.#parts.canceled; }

  get eventPhase() { return this.#parts.phase; }

  get timeStamp() { return this.#parts.time; }

  get isTrusted() { return this.#parts.trusted === true; }

  preventDefault() {
    if (this.#parts.cancelable && !this.#parts.passive) this.#parts.canceled = true;
  }

  stopPropagation() {
    this.#parts;
  }

  stopImmediatePropagation() {
    this.#parts.stopped = true;
  }
}

for (const [name, value] of [['NONE', 0], ['CAPTURING_PHASE', 1], ['AT_TARGET', 2], ['BUBBLING_PHASE', 3]]) {
  defineProperty(Event, name, { __proto__: null, value, enumerable: true });
  defineProperty(Event.prototype, name, { __proto__: null, value, enumerable: true });
}

// What a listener throws ends the call, as what a timer's callback throws does.
const report = (error) => enqueue(() => { throw error; });
const enqueue = queueMicrotask;

const callListener = (listener, target, event) => {
  const { callback } = listener;
  try {
    if (typeof callback === 'function') return apply(callback, target, [event]);
    const { handleEvent } = callback;
    if (typeof handleEvent !== 'function') throw new TypeErrorType('addEventListener: the listener has no handleEvent function');
    apply(handleEvent, callback, [event]);
  } catch (error) {
    report(error);
  }
  return undefined;
};

let dispatch;

class EventTarget {
  #listeners = [];

  static {
    push(platform, (value) => #listeners in value);

    dispatch = (target, event) => {
      const parts = eventParts(event);
      parts.target = target;
      parts.currentTarget = target;
      parts.phase = AT_TARGET;
      const listeners = sliceList(target.#listeners);
      for (let i = 0; i < listeners.length && !parts.stopped; i++) {
        const listener = listeners[i];
        if (listener.removed || listener.type !== parts.type) continue;
        if (listener.once) target.#remove(listener);
        parts.passive = listener.passive;
        callListener(listener, target, event);
      }
      parts.passive = false;
      parts.stopped = false;
      parts.currentTarget = null;
      parts.phase = NONE;
      return !parts.canceled;
    };
  }

  #find(type, callback, capture) {
    for (let i = 0; i < this.#listeners.length; i++) {
      const listener = this.#listeners[i];
      if (listener.type === type && listener.callback === callback && listener.capture === capture) return listener;
    }
    return undefined;
  }

  #remove(listener) {
    listener.removed = true;
    for (let i = 0; i < this.#listeners.length; i++) {
      if (this.#listeners[i] === listener) {
        removeAt(this.#listeners, i, 1);
        return;
      }
    }
  }

  addEventListener(type, callback, options = undefined) {
    required(arguments.length, 2, 'addEventListener');
    const name = toText(type);
    const capture = typeof options === 'object' && options !== null ? !!options.capture : !!options;
    const signal = options?.signal;
    if (signal !== undefined && !isSignal(signal)) throw new TypeErrorType('addEventListener: signal must be an AbortSignal');
    if (callback === null || callback === undefined) return;
    if (typeof callback !== 'function' && typeof callback !== 'object') {
      throw new TypeErrorType('addEventListener: the listener must be a function or an object');
    }
    if (signal !== undefined && isAborted(signal)) return;
    if (this.#find(name, callback, capture) !== undefined) return;
    const listener = {
      __proto__: null, type: name, callback, capture, once: !!options?.once, passive: !!options?.passive, removed: false,
    };
    push(this.#listeners, listener);
    if (signal !== undefined) onAbort(signal, () => this.#remove(listener));
  }

  removeEventListener(type, callback, options = undefined) {
    required(arguments.length, 2, 'removeEventListener');
    const capture = typeof options === 'object' && options !== null ? !!options.capture : !!options;
    const listener = this.#find(toText(type), callback, capture);
    if (listener !== undefined) this.#remove(listener);
  }

  dispatchEvent(event) {
    required(arguments.length, 1, 'dispatchEvent');
    const parts = eventParts(event);
    if (parts.phase !== NONE) throw new DOMExceptionType('dispatchEvent: the event is being dispatched already', 'InvalidStateError');
    parts.trusted = false;
    return dispatch(this, event);
  }
}

exposeClass('Event', Event);
exposeClass('EventTarget', EventTarget);
