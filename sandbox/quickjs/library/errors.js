// The two errors of the tool model.

const defineError = (name, type) => {
  defineProperty(type.prototype, 'name', { __proto__: null, value: name, writable: true, configurable: true });
  expose(name, type);
};

defineError('CallError', class CallError extends ErrorType {
  constructor(code, message, retryable, details) {
    super(message);
    this.code = toText(code);
    this.retryable = !!retryable;
    this.details = details;
  }
});

defineError('OperationError', class OperationError extends ErrorType {
  constructor(code, message, details) {
    super(message);
    this.code = toText(code);
    this.details = details;
  }
});
