// Timers and performance. The host arms timers and tells the time; both only while a call runs.

const arm = (what, callback, delay, values, repeats) => {
  if (typeof callback !== 'function') throw new TypeErrorType(what + ': the callback must be a function; text is not run');
  const ms = +delay;
  return native.arm(ms, values.length === 0 ? callback : () => apply(callback, undefined, values), repeats);
};

expose('setTimeout', function setTimeout(callback, delay = 0, ...values) {
  return arm('setTimeout', callback, delay, values, false);
});

expose('setInterval', function setInterval(callback, delay = 0, ...values) {
  return arm('setInterval', callback, delay, values, true);
});

expose('clearTimeout', function clearTimeout(id = undefined) {
  if (id !== undefined) native.disarm(id);
});

expose('clearInterval', function clearInterval(id = undefined) {
  if (id !== undefined) native.disarm(id);
});

const performance = methods('Performance', {
  now() { return now() - native.started(); },
  toJSON() { return { timeOrigin: native.started() }; },
});
defineProperty(Object.getPrototypeOf(performance), 'timeOrigin', {
  __proto__: null, configurable: true, get: () => native.started(),
});
expose('performance', performance);
