// The URL parser, state by state (URL Standard, section 4.4).

// The parser is done, though not at the end of its input.
const DONE = { __proto__: null };

// Ends the authority, as the end of input does.
const endsAuthority = (p, c) => c === undefined || c === '/' || c === '?' || c === '#' || (c === '\\' && isSpecial(p.url));

const again = (p, state) => {
  p.state = state;
  p.at--;
};

// What follows a path that stands as it is.
const toQueryOrFragment = (p, c) => {
  if (c === '?') {
    p.url.query = '';
    p.state = 'query';
  } else if (c === '#') {
    p.url.fragment = '';
    p.state = 'fragment';
  }
};

const inherit = (p, base) => {
  const { url } = p;
  url.username = base.username;
  url.password = base.password;
  url.host = base.host;
  url.port = base.port;
  url.path = copyPath(base.path);
  url.query = base.query;
};

const endScheme = (p) => {
  const { url, buffer } = p;
  if (p.override !== null) {
    if (isSpecial(url) !== buffer in DEFAULT_PORTS) return DONE;
    if ((includesCredentials(url) || url.port !== null) && buffer === 'file') return DONE;
    if (url.scheme === 'file' && url.host === '') return DONE;
  }
  url.scheme = buffer;
  if (p.override !== null) {
    if (url.port === DEFAULT_PORTS[url.scheme]) url.port = null;
    return DONE;
  }
  p.buffer = '';
  if (url.scheme === 'file') {
    p.state = 'file';
  } else if (isSpecial(url)) {
    p.state = p.base !== null && p.base.scheme === url.scheme ? 'specialRelativeOrAuthority' : 'specialAuthoritySlashes';
  } else if (p.chars[p.at + 1] === '/') {
    p.state = 'pathOrAuthority';
    p.at++;
  } else {
    url.path = '';
    p.state = 'opaquePath';
  }
  return undefined;
};

const endHost = (p) => {
  const { url } = p;
  const host = parseHost(p.buffer, !isSpecial(url));
  if (host === FAILED) return FAILED;
  url.host = host;
  p.buffer = '';
  return undefined;
};

const states = {
  __proto__: null,

  schemeStart(p, c) {
    if (isAlpha(c)) {
      p.buffer += lowerCase(c);
      p.state = 'scheme';
    } else if (p.override === null) {
      again(p, 'noScheme');
    } else {
      return FAILED;
    }
    return undefined;
  },

  scheme(p, c) {
    if (c !== undefined && (isAlpha(c) || isDigit(c) || c === '+' || c === '-' || c === '.')) {
      p.buffer += lowerCase(c);
      return undefined;
    }
    if (c === ':') return endScheme(p);
    if (p.override !== null) return FAILED;
    p.buffer = '';
    p.state = 'noScheme';
    p.at = -1;
    return undefined;
  },

  noScheme(p, c) {
    const { base } = p;
    if (base === null || (hasOpaquePath(base) && c !== '#')) return FAILED;
    if (hasOpaquePath(base)) {
      p.url.scheme = base.scheme;
      p.url.path = base.path;
      p.url.query = base.query;
      p.url.fragment = '';
      p.state = 'fragment';
    } else {
      again(p, base.scheme === 'file' ? 'file' : 'relative');
    }
    return undefined;
  },

  specialRelativeOrAuthority(p, c) {
    if (c === '/' && p.chars[p.at + 1] === '/') {
      p.state = 'specialAuthorityIgnoreSlashes';
      p.at++;
    } else {
      again(p, 'relative');
    }
  },

  pathOrAuthority(p, c) {
    if (c === '/') p.state = 'authority';
    else again(p, 'path');
  },

  relative(p, c) {
    const { url, base } = p;
    url.scheme = base.scheme;
    if (c === '/') {
      p.state = 'relativeSlash';
    } else if (isSpecial(url) && c === '\\') {
      p.state = 'relativeSlash';
    } else {
      inherit(p, base);
      if (c === '?' || c === '#') {
        toQueryOrFragment(p, c);
      } else if (c !== undefined) {
        url.query = null;
        shortenPath(url);
        again(p, 'path');
      }
    }
  },

  relativeSlash(p, c) {
    const { url, base } = p;
    if (isSpecial(url) && (c === '/' || c === '\\')) {
      p.state = 'specialAuthorityIgnoreSlashes';
    } else if (c === '/') {
      p.state = 'authority';
    } else {
      url.username = base.username;
      url.password = base.password;
      url.host = base.host;
      url.port = base.port;
      again(p, 'path');
    }
  },

  specialAuthoritySlashes(p, c) {
    if (c === '/' && p.chars[p.at + 1] === '/') {
      p.state = 'specialAuthorityIgnoreSlashes';
      p.at++;
    } else {
      again(p, 'specialAuthorityIgnoreSlashes');
    }
  },

  specialAuthorityIgnoreSlashes(p, c) {
    if (c !== '/' && c !== '\\') again(p, 'authority');
  },

  authority(p, c) {
    const { url } = p;
    if (c === '@') {
      if (p.atSeen) p.buffer = '%40' + p.buffer;
      p.atSeen = true;
      const list = charactersOf(p.buffer);
      for (let i = 0; i < list.length; i++) {
        if (list[i] === ':' && !p.passwordSeen) {
          p.passwordSeen = true;
          continue;
        }
        const encoded = percentEncode(list[i], USERINFO_SET);
        if (p.passwordSeen) url.password += encoded;
        else url.username += encoded;
      }
      p.buffer = '';
    } else if (endsAuthority(p, c)) {
      if (p.atSeen && p.buffer === '') return FAILED;
      p.at -= charactersOf(p.buffer).length + 1;
      p.buffer = '';
      p.state = 'host';
    } else {
      p.buffer += c;
    }
    return undefined;
  },

  host(p, c) {
    const { url } = p;
    if (p.override !== null && url.scheme === 'file') {
      again(p, 'fileHost');
    } else if (c === ':' && !p.inBrackets) {
      if (p.buffer === '') return FAILED;
      if (p.override === 'hostname') return FAILED;
      if (endHost(p) === FAILED) return FAILED;
      p.state = 'port';
    } else if (endsAuthority(p, c)) {
      p.at--;
      if (isSpecial(url) && p.buffer === '') return FAILED;
      if (p.override !== null && p.buffer === '' && (includesCredentials(url) || url.port !== null)) return FAILED;
      if (endHost(p) === FAILED) return FAILED;
      p.state = 'pathStart';
      if (p.override !== null) return DONE;
    } else {
      if (c === '[') p.inBrackets = true;
      if (c === ']') p.inBrackets = false;
      p.buffer += c;
    }
    return undefined;
  },

  port(p, c) {
    const { url } = p;
    if (c !== undefined && isDigit(c)) {
      p.buffer += c;
      return undefined;
    }
    if (!endsAuthority(p, c) && p.override === null) return FAILED;
    if (p.buffer !== '') {
      const port = parseNumber(p.buffer, 10);
      if (port > 65535) return FAILED;
      url.port = port === DEFAULT_PORTS[url.scheme] ? null : port;
      p.buffer = '';
      if (p.override !== null) return DONE;
    }
    if (p.override !== null) return FAILED;
    again(p, 'pathStart');
    return undefined;
  },

  file(p, c) {
    const { url, base } = p;
    url.scheme = 'file';
    url.host = '';
    if (c === '/' || c === '\\') {
      p.state = 'fileSlash';
    } else if (base !== null && base.scheme === 'file') {
      url.host = base.host;
      url.path = copyPath(base.path);
      url.query = base.query;
      if (c === '?' || c === '#') {
        toQueryOrFragment(p, c);
      } else if (c !== undefined) {
        url.query = null;
        if (startsWithWindowsLetter(p.chars, p.at)) url.path = [];
        else shortenPath(url);
        again(p, 'path');
      }
    } else {
      again(p, 'path');
    }
  },

  fileSlash(p, c) {
    const { url, base } = p;
    if (c === '/' || c === '\\') {
      p.state = 'fileHost';
      return;
    }
    if (base !== null && base.scheme === 'file') {
      url.host = base.host;
      if (!startsWithWindowsLetter(p.chars, p.at) && base.path.length > 0 && isNormalizedWindowsLetter(base.path[0])) {
        push(url.path, base.path[0]);
      }
    }
    again(p, 'path');
  },

  fileHost(p, c) {
    const { url } = p;
    if (c !== undefined && c !== '/' && c !== '\\' && c !== '?' && c !== '#') {
      p.buffer += c;
      return undefined;
    }
    p.at--;
    if (p.override === null && isWindowsLetter(p.buffer)) {
      p.state = 'path';
    } else if (p.buffer === '') {
      url.host = '';
      if (p.override !== null) return DONE;
      p.state = 'pathStart';
    } else {
      if (endHost(p) === FAILED) return FAILED;
      if (url.host === 'localhost') url.host = '';
      if (p.override !== null) return DONE;
      p.state = 'pathStart';
    }
    return undefined;
  },

  pathStart(p, c) {
    const { url } = p;
    if (isSpecial(url)) {
      p.state = 'path';
      if (c !== '/' && c !== '\\') p.at--;
    } else if (p.override === null && (c === '?' || c === '#')) {
      toQueryOrFragment(p, c);
    } else if (c !== undefined) {
      p.state = 'path';
      if (c !== '/') p.at--;
    } else if (p.override !== null && url.host === null) {
      push(url.path, '');
    }
  },

  path(p, c) {
    const { url } = p;
    const slash = c === '/' || (isSpecial(url) && c === '\\');
    const ends = c === undefined || slash || (p.override === null && (c === '?' || c === '#'));
    if (!ends) {
      p.buffer += percentEncode(c, PATH_SET);
      return;
    }
    if (isDoubleDot(p.buffer)) {
      shortenPath(url);
      if (!slash) push(url.path, '');
    } else if (isSingleDot(p.buffer)) {
      if (!slash) push(url.path, '');
    } else {
      if (url.scheme === 'file' && url.path.length === 0 && isWindowsLetter(p.buffer)) p.buffer = p.buffer[0] + ':';
      push(url.path, p.buffer);
    }
    p.buffer = '';
    if (p.override === null) toQueryOrFragment(p, c);
  },

  opaquePath(p, c) {
    if (c === '?' || c === '#') {
      toQueryOrFragment(p, c);
    } else if (c === ' ') {
      const next = p.chars[p.at + 1];
      p.url.path += next === '?' || next === '#' ? '%20' : ' ';
    } else if (c !== undefined) {
      p.url.path += percentEncode(c, CONTROL_SET);
    }
  },

  query(p, c) {
    if (p.override === null && c === '#') {
      toQueryOrFragment(p, c);
    } else if (c !== undefined) {
      p.url.query += percentEncode(c, isSpecial(p.url) ? SPECIAL_QUERY_SET : QUERY_SET);
    }
  },

  fragment(p, c) {
    if (c !== undefined) p.url.fragment += percentEncode(c, FRAGMENT_SET);
  },
};

const trimControls = (text) => {
  let start = 0;
  let end = text.length;
  while (start < end && text[start] <= ' ') start++;
  while (end > start && text[end - 1] <= ' ') end--;
  return sliceText(text, start, end);
};

const withoutBreaks = (text) => {
  const list = charactersOf(text);
  const kept = [];
  for (let i = 0; i < list.length; i++) if (list[i] !== '\t' && list[i] !== '\n' && list[i] !== '\r') push(kept, list[i]);
  return kept;
};

const run = (p) => {
  for (;; p.at++) {
    const c = p.chars[p.at];
    const end = c === undefined && p.at >= p.chars.length;
    const outcome = states[p.state](p, c);
    if (outcome === FAILED) return FAILED;
    if (outcome === DONE) return p.url;
    if (end && p.at >= p.chars.length) return p.url;
  }
};

// The URL record of `text`, or FAILED.
const parseUrl = (text, base) => run({
  __proto__: null, chars: withoutBreaks(trimControls(text)), at: 0, buffer: '', url: newUrl(), base,
  state: 'schemeStart', override: null, atSeen: false, inBrackets: false, passwordSeen: false,
});

// Changes a part of `url`, starting the parser in `state`. What is no such part changes nothing.
const parsePart = (text, url, state, override = state) => run({
  __proto__: null, chars: withoutBreaks(text), at: 0, buffer: '', url, base: null,
  state, override, atSeen: false, inBrackets: false, passwordSeen: false,
});
