// URL records, and how they are written (URL Standard, sections 4.1, 4.2 and 4.5).

const DEFAULT_PORTS = { __proto__: null, ftp: 21, file: null, http: 80, https: 443, ws: 80, wss: 443 };
const isSpecial = (url) => url.scheme in DEFAULT_PORTS;
const hasOpaquePath = (url) => typeof url.path === 'string';
const includesCredentials = (url) => url.username !== '' || url.password !== '';
const takesNoCredentials = (url) => url.host === null || url.host === '' || url.scheme === 'file';

const newUrl = () => ({
  __proto__: null, scheme: '', username: '', password: '', host: null, port: null, path: [], query: null, fragment: null,
});

const isWindowsLetter = (text) => text.length === 2 && isAlpha(text[0]) && (text[1] === ':' || text[1] === '|');
const isNormalizedWindowsLetter = (text) => isWindowsLetter(text) && text[1] === ':';

const startsWithWindowsLetter = (chars, at) => {
  if (chars.length - at < 2 || !isWindowsLetter(chars[at] + chars[at + 1])) return false;
  const after = chars[at + 2];
  return after === undefined || after === '/' || after === '\\' || after === '?' || after === '#';
};

const shortenPath = (url) => {
  const { path } = url;
  if (url.scheme === 'file' && path.length === 1 && isNormalizedWindowsLetter(path[0])) return;
  pop(path);
};

const isSingleDot = (segment) => segment === '.' || lowerCase(segment) === '%2e';
const isDoubleDot = (segment) => {
  const lower = lowerCase(segment);
  return lower === '..' || lower === '.%2e' || lower === '%2e.' || lower === '%2e%2e';
};

const copyPath = (path) => (typeof path === 'string' ? path : sliceList(path));

const pathText = (url) => {
  if (hasOpaquePath(url)) return url.path;
  let text = '';
  for (let i = 0; i < url.path.length; i++) text += '/' + url.path[i];
  return text;
};

const urlText = (url, withFragment = true) => {
  let text = url.scheme + ':';
  if (url.host !== null) {
    text += '//';
    if (includesCredentials(url)) text += url.username + (url.password === '' ? '' : ':' + url.password) + '@';
    text += url.host;
    if (url.port !== null) text += ':' + url.port;
  } else if (!hasOpaquePath(url) && url.path.length > 1 && url.path[0] === '') {
    text += '/.';
  }
  text += pathText(url);
  if (url.query !== null) text += '?' + url.query;
  if (withFragment && url.fragment !== null) text += '#' + url.fragment;
  return text;
};
