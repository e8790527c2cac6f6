// AbortController and AbortSignal (DOM Standard, section 3), and how a host call follows a signal.

// Only this library makes signals.
const SIGNAL = { __proto__: null };
let isSignal;
let isAborted;
let reasonOf;
let onAbort;
let abortSignal;

class AbortSignal extends EventTarget {
  #aborted = false;
  #reason = undefined;
  #handler = null;
  // What to do on abort, in order.
  #steps = new SetType();

  static {
    isSignal = (value) => typeof value === 'object' && value !== null && #steps in value;
    isAborted = (signal) => signal.#aborted;
    reasonOf = (signal) => signal.#reason;

    // Runs `step(reason)` when the signal is aborted; gives what takes that back.
    onAbort = (signal, step) => {
      const entry = [step];
      setAdd(signal.#steps, entry);
      return () => { setDelete(signal.#steps, entry); };
    };

    abortSignal = (signal, reason) => {
      if (signal.#aborted) return;
      signal.#aborted = true;
      signal.#reason = reason === undefined ? new DOMExceptionType('the operation was aborted', 'AbortError') : reason;
      const steps = [];
      setEach(signal.#steps, (entry) => push(steps, entry[0]));
      signal.#steps = new SetType();
      for (let i = 0; i < steps.length; i++) steps[i](signal.#reason);
      const event = new Event('abort');
      eventParts(event).trusted = true;
      dispatch(signal, event);
    };
  }

  constructor(token = undefined) {
    if (token !== SIGNAL) throw new TypeErrorType('AbortSignal: use new AbortController().signal or AbortSignal.timeout(ms)');
    super();
  }

  static abort(reason = undefined) {
    const signal = new AbortSignal(SIGNAL);
    abortSignal(signal, reason);
    return signal;
  }

  static timeout(milliseconds) {
    required(arguments.length, 1, 'AbortSignal.timeout');
    const ms = +milliseconds;
    if (!(ms >= 0 && ms <= 9007199254740991)) throw new TypeErrorType('AbortSignal.timeout: milliseconds must be a number from 0');
    const signal = new AbortSignal(SIGNAL);
    // Made here, so that it says where the time was set.
    const reason = new DOMExceptionType('it took longer than ' + ms + ' ms', 'TimeoutError');
    native.arm(ms, () => abortSignal(signal, reason), false);
    return signal;
  }

  static any(signals) {
    required(arguments.length, 1, 'AbortSignal.any');
    const sources = [];
    for (const source of signals) {
      if (!isSignal(source)) throw new TypeErrorType('AbortSignal.any: every item must be an AbortSignal');
      push(sources, source);
    }
    const signal = new AbortSignal(SIGNAL);
    for (let i = 0; i < sources.length; i++) {
      if (!sources[i].#aborted) continue;
      abortSignal(signal, sources[i].#reason);
      return signal;
    }
    for (let i = 0; i < sources.length; i++) onAbort(sources[i], (reason) => abortSignal(signal, reason));
    return signal;
  }

  get aborted() {
    return this.#aborted;
  }

  get reason() {
    return this.#reason;
  }

  throwIfAborted() {
    if (this.#aborted) throw this.#reason;
  }

  get onabort() {
    return this.#handler?.callback ?? null;
  }

  set onabort(value) {
    const callback = typeof value === 'function' ? value : null;
    if (this.#handler === null && callback !== null) {
      const handler = { __proto__: null, callback: null };
      this.#handler = handler;
      addListener(this, 'abort', function (event) {
        if (handler.callback !== null) apply(handler.callback, this, [event]);
      });
    }
    if (this.#handler !== null) this.#handler.callback = callback;
  }
}

const addListener = uncurry(EventTarget.prototype.addEventListener);

class AbortController {
  #signal = new AbortSignal(SIGNAL);

  static {
    push(platform, (value) => #signal in value);
  }

  get signal() {
    return this.#signal;
  }

  abort(reason = undefined) {
    abortSignal(this.#signal, reason);
  }
}

exposeClass('AbortSignal', AbortSignal);
exposeClass('AbortController', AbortController);

// Called for each host call that was given a signal: gives what makes the signal forget the call.
const attach = (signal, cancel) => {
  if (!isSignal(signal)) throw new TypeErrorType('the signal of a call must be an AbortSignal');
  if (isAborted(signal)) throw reasonOf(signal);
  return onAbort(signal, cancel);
};
