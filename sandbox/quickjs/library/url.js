// URL and URLSearchParams (URL Standard, sections 5 and 6).

const formDecode = (text) => percentDecode(join(splitText(text, '+'), ' '));

const formEncode = (text) => join(splitText(percentEncodeAll(text, FORM_SET), '%20'), '+');

const parseForm = (text) => {
  const list = [];
  const parts = splitText(text, '&');
  for (let i = 0; i < parts.length; i++) {
    if (parts[i] === '') continue;
    const at = findText(parts[i], '=');
    const name = at < 0 ? parts[i] : sliceText(parts[i], 0, at);
    push(list, [formDecode(name), formDecode(at < 0 ? '' : sliceText(parts[i], at + 1))]);
  }
  return list;
};

const formText = (list) => {
  const parts = [];
  for (let i = 0; i < list.length; i++) push(parts, formEncode(list[i][0]) + '=' + formEncode(list[i][1]));
  return join(parts, '&');
};

const pairsOf = (init) => {
  const list = [];
  if (init[Symbol.iterator] !== undefined && init[Symbol.iterator] !== null) {
    for (const pair of init) {
      const values = [];
      if (typeof pair !== 'object' || pair === null) throw new TypeErrorType('URLSearchParams: each pair must be an array of two');
      for (const value of pair) push(values, usvString(value));
      if (values.length !== 2) throw new TypeErrorType('URLSearchParams: each pair must be an array of two');
      push(list, values);
    }
    return list;
  }
  const keys = ownKeys(init);
  for (let i = 0; i < keys.length; i++) {
    if (!getOwnPropertyDescriptor(init, keys[i])?.enumerable) continue;
    if (typeof keys[i] === 'symbol') throw new TypeErrorType('URLSearchParams: names must be strings');
    const name = usvString(keys[i]);
    const value = usvString(init[keys[i]]);
    let known = false;
    for (let k = 0; k < list.length && !known; k++) {
      known = list[k][0] === name;
      if (known) list[k][1] = value;
    }
    if (!known) push(list, [name, value]);
  }
  return list;
};

// Set while URL makes the object for its own query.
let queryOwner = null;
let readQuery;

class URLSearchParams {
  #list = [];
  // Tells the URL whose query this is; null if there is none.
  #changed = null;

  static {
    readQuery = (params, list) => { params.#list = list; };
    push(platform, (value) => #list in value);
  }

  constructor(init = '') {
    if (queryOwner !== null) {
      this.#changed = queryOwner;
    } else if ((typeof init === 'object' && init !== null) || typeof init === 'function') {
      this.#list = pairsOf(init);
    } else {
      const text = usvString(init);
      this.#list = parseForm(text[0] === '?' ? sliceText(text, 1) : text);
    }
  }

  #update() {
    if (this.#changed !== null) this.#changed(formText(this.#list));
  }

  get size() {
    return this.#list.length;
  }

  append(name, value) {
    required(arguments.length, 2, 'append');
    push(this.#list, [usvString(name), usvString(value)]);
    this.#update();
  }

  delete(name, value = undefined) {
    required(arguments.length, 1, 'delete');
    const wanted = usvString(name);
    const only = value === undefined ? undefined : usvString(value);
    const kept = [];
    for (let i = 0; i < this.#list.length; i++) {
      const pair = this.#list[i];
      if (pair[0] !== wanted || (only !== undefined && pair[1] !== only)) push(kept, pair);
    }
    this.#list = kept;
    this.#update();
  }

  get(name) {
    required(arguments.length, 1, 'get');
    const wanted = usvString(name);
    for (let i = 0; i < this.#list.length; i++) if (this.#list[i][0] === wanted) return this.#list[i][1];
    return null;
  }

  getAll(name) {
    required(arguments.length, 1, 'getAll');
    const wanted = usvString(name);
    const values = [];
    for (let i = 0; i < this.#list.length; i++) if (this.#list[i][0] === wanted) push(values, this.#list[i][1]);
    return values;
  }

  has(name, value = undefined) {
    required(arguments.length, 1, 'has');
    const wanted = usvString(name);
    const only = value === undefined ? undefined : usvString(value);
    for (let i = 0; i < this.#list.length; i++) {
      const pair = this.#list[i];
      if (pair[0] === wanted && (only === undefined || pair[1] === only)) return true;
    }
    return false;
  }

  set(name, value) {
    required(arguments.length, 2, 'set');
    const wanted = usvString(name);
    const text = usvString(value);
    const kept = [];
    let done = false;
    for (let i = 0; i < this.#list.length; i++) {
      const pair = this.#list[i];
      if (pair[0] !== wanted) {
        push(kept, pair);
      } else if (!done) {
        done = true;
        push(kept, [wanted, text]);
      }
    }
    if (!done) push(kept, [wanted, text]);
    this.#list = kept;
    this.#update();
  }

  sort() {
    sortList(this.#list, (a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    this.#update();
  }

  forEach(callback, thisArg = undefined) {
    if (typeof callback !== 'function') throw new TypeErrorType('forEach: the callback must be a function');
    for (let i = 0; i < this.#list.length; i++) apply(callback, thisArg, [this.#list[i][1], this.#list[i][0], this]);
  }

  * entries() {
    for (let i = 0; i < this.#list.length; i++) yield [this.#list[i][0], this.#list[i][1]];
  }

  * keys() {
    for (let i = 0; i < this.#list.length; i++) yield this.#list[i][0];
  }

  * values() {
    for (let i = 0; i < this.#list.length; i++) yield this.#list[i][1];
  }

  toString() {
    return formText(this.#list);
  }
}

defineProperty(URLSearchParams.prototype, Symbol.iterator, {
  __proto__: null, value: URLSearchParams.prototype.entries, writable: true, configurable: true,
});

const parseWithBase = (input, base) => {
  let from = null;
  if (base !== undefined) {
    from = parseUrl(usvString(base), null);
    if (from === FAILED) return FAILED;
  }
  return parseUrl(usvString(input), from);
};

const complaint = (input, withBase) => {
  let wide = false;
  for (let i = 0; i < input.length && !wide; i++) wide = charCode(input, i) > 0x7f;
  return 'URL: "' + sliceText(input, 0, 200) + '" is not a valid URL' + (withBase ? ', not with that base either' : '')
    + (wide ? '; a host name beyond ASCII must be written in Punycode' : '');
};

class URL {
  #url;
  #params = null;

  static {
    push(platform, (value) => #url in value);
  }

  constructor(input, base = undefined) {
    required(arguments.length, 1, 'URL');
    const url = parseWithBase(input, base);
    if (url === FAILED) throw new TypeErrorType(complaint(toText(input), base !== undefined));
    this.#url = url;
  }

  static canParse(input, base = undefined) {
    required(arguments.length, 1, 'URL.canParse');
    return parseWithBase(input, base) !== FAILED;
  }

  static parse(input, base = undefined) {
    required(arguments.length, 1, 'URL.parse');
    return parseWithBase(input, base) === FAILED ? null : new URL(input, base);
  }

  #refresh() {
    if (this.#params !== null) readQuery(this.#params, parseForm(this.#url.query ?? ''));
  }

  get href() {
    return urlText(this.#url);
  }

  set href(value) {
    const url = parseUrl(usvString(value), null);
    if (url === FAILED) throw new TypeErrorType('URL: href is not a valid URL');
    this.#url = url;
    this.#refresh();
  }

  get origin() {
    let url = this.#url;
    if (url.scheme === 'blob') {
      url = parseUrl(pathText(url), null);
      if (url === FAILED || (url.scheme !== 'http' && url.scheme !== 'https')) return 'null';
    }
    if (!isSpecial(url) || url.scheme === 'file') return 'null';
    return url.scheme + '://' + url.host + (url.port === null ? '' : ':' + url.port);
  }

  get protocol() {
    return this.#url.scheme + ':';
  }

  set protocol(value) {
    parsePart(usvString(value) + ':', this.#url, 'schemeStart');
  }

  get username() {
    return this.#url.username;
  }

  set username(value) {
    const text = usvString(value);
    if (!takesNoCredentials(this.#url)) this.#url.username = percentEncodeAll(text, USERINFO_SET);
  }

  get password() {
    return this.#url.password;
  }

  set password(value) {
    const text = usvString(value);
    if (!takesNoCredentials(this.#url)) this.#url.password = percentEncodeAll(text, USERINFO_SET);
  }

  get host() {
    const { host, port } = this.#url;
    if (host === null) return '';
    return port === null ? host : host + ':' + port;
  }

  set host(value) {
    const text = usvString(value);
    if (!hasOpaquePath(this.#url)) parsePart(text, this.#url, 'host');
  }

  get hostname() {
    return this.#url.host ?? '';
  }

  set hostname(value) {
    const text = usvString(value);
    if (!hasOpaquePath(this.#url)) parsePart(text, this.#url, 'host', 'hostname');
  }

  get port() {
    return this.#url.port === null ? '' : toText(this.#url.port);
  }

  set port(value) {
    const text = usvString(value);
    if (takesNoCredentials(this.#url)) return;
    if (text === '') this.#url.port = null;
    else parsePart(text, this.#url, 'port');
  }

  get pathname() {
    return pathText(this.#url);
  }

  set pathname(value) {
    const text = usvString(value);
    if (hasOpaquePath(this.#url)) return;
    this.#url.path = [];
    parsePart(text, this.#url, 'pathStart');
  }

  get search() {
    const { query } = this.#url;
    return query === null || query === '' ? '' : '?' + query;
  }

  set search(value) {
    const text = usvString(value);
    if (text === '') {
      this.#url.query = null;
    } else {
      this.#url.query = '';
      parsePart(text[0] === '?' ? sliceText(text, 1) : text, this.#url, 'query');
    }
    this.#refresh();
  }

  get searchParams() {
    if (this.#params === null) {
      queryOwner = (text) => { this.#url.query = text === '' ? null : text; };
      try {
        this.#params = new URLSearchParams();
      } finally {
        queryOwner = null;
      }
      this.#refresh();
    }
    return this.#params;
  }

  get hash() {
    const { fragment } = this.#url;
    return fragment === null || fragment === '' ? '' : '#' + fragment;
  }

  set hash(value) {
    const text = usvString(value);
    if (text === '') {
      this.#url.fragment = null;
      return;
    }
    this.#url.fragment = '';
    parsePart(text[0] === '#' ? sliceText(text, 1) : text, this.#url, 'fragment');
  }

  toString() {
    return urlText(this.#url);
  }

  toJSON() {
    return urlText(this.#url);
  }
}

exposeClass('URL', URL);
exposeClass('URLSearchParams', URLSearchParams);
