// Hosts of URLs, and percent-encoding (URL Standard, sections 1.3 and 3).

const FAILED = { __proto__: null };

const isDigit = (c) => c >= '0' && c <= '9' && c.length === 1;
const isAlpha = (c) => c !== undefined && c.length === 1 && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
const isHex = (c) => isDigit(c) || (c.length === 1 && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')));

// The characters of a string: one string for each code point.
const charactersOf = (text) => {
  const list = [];
  for (let i = 0; i < text.length;) {
    const size = codePoint(text, i) > 0xffff ? 2 : 1;
    push(list, sliceText(text, i, i + size));
    i += size;
  }
  return list;
};

const splitText = (text, separator) => {
  const parts = [];
  let start = 0;
  for (let at = findText(text, separator, 0); at >= 0; at = findText(text, separator, start)) {
    push(parts, sliceText(text, start, at));
    start = at + separator.length;
  }
  push(parts, sliceText(text, start));
  return parts;
};

const inSet = (set, c) => c.length === 1 && findText(set, c) >= 0;
// What each set encodes of printable ASCII; controls and everything beyond ASCII always are.
const CONTROL_SET = '';
const FRAGMENT_SET = ' "<>`';
const QUERY_SET = ' "#<>';
const SPECIAL_QUERY_SET = ' "#<>\'';
const PATH_SET = ' "#<>?^`{}';
const USERINFO_SET = ' "#<>?^`{}/:;=@[\\]|';
const FORM_SET = ' "#<>?^`{}/:;=@[\\]|$&+,%!\'()~';

const upperCase = uncurry(StringType.prototype.toUpperCase);
const percentByte = (byte) => '%' + padStart(upperCase(numberText(byte, 16)), 2, '0');

const percentEncode = (c, set) => {
  const point = codePoint(c, 0);
  if (point > 0x1f && point < 0x7f && !inSet(set, c)) return c;
  if (point < 0x80) return percentByte(point);
  const bytes = native.utf8(c);
  let text = '';
  for (let i = 0; i < arrayBytes(bytes); i++) text += percentByte(bytes[i]);
  return text;
};

const percentEncodeAll = (text, set) => {
  const list = charactersOf(text);
  for (let i = 0; i < list.length; i++) list[i] = percentEncode(list[i], set);
  return join(list, '');
};

const percentDecode = (text) => {
  const from = native.utf8(text);
  const to = new Bytes(arrayBytes(from));
  const hex = (byte) => parseNumber(fromCharCode(byte), 16);
  const isHexByte = (byte) => byte !== undefined && byte < 0x80 && isHex(fromCharCode(byte));
  let length = 0;
  for (let i = 0; i < arrayBytes(from); i++) {
    if (from[i] === 0x25 && isHexByte(from[i + 1]) && isHexByte(from[i + 2])) {
      to[length++] = hex(from[i + 1]) * 16 + hex(from[i + 2]);
      i += 2;
    } else {
      to[length++] = from[i];
    }
  }
  return native.text(part(to, 0, length), false);
};

const FORBIDDEN_HOST = '\0\t\n\r #/:<>?@[\\]^|';
const isForbiddenDomain = (c) => inSet(FORBIDDEN_HOST, c) || c <= '\x1f' || c === '%' || c === '\x7f';

// A number of an IPv4 address; FAILED if it is none.
const ipv4Number = (text) => {
  if (text === '') return FAILED;
  let radix = 10;
  let digits = text;
  if (text.length >= 2 && (startsWith(text, '0x') || startsWith(text, '0X'))) {
    digits = sliceText(text, 2);
    radix = 16;
  } else if (text.length >= 2 && text[0] === '0') {
    digits = sliceText(text, 1);
    radix = 8;
  }
  if (digits === '') return 0;
  for (let i = 0; i < digits.length; i++) {
    const valid = radix === 16 ? isHex(digits[i]) : isDigit(digits[i]) && (radix === 10 || digits[i] < '8');
    if (!valid) return FAILED;
  }
  return parseNumber(digits, radix);
};

const endsInNumber = (host) => {
  const parts = splitText(host, '.');
  if (parts[parts.length - 1] === '') {
    if (parts.length === 1) return false;
    pop(parts);
  }
  const last = parts[parts.length - 1];
  let digits = last !== '';
  for (let i = 0; i < last.length; i++) digits &&= isDigit(last[i]);
  return digits || ipv4Number(last) !== FAILED;
};

const parseIpv4 = (host) => {
  const parts = splitText(host, '.');
  if (parts[parts.length - 1] === '' && parts.length > 1) pop(parts);
  if (parts.length > 4) return FAILED;
  let address = 0;
  for (let i = 0; i < parts.length; i++) {
    const number = ipv4Number(parts[i]);
    const last = i === parts.length - 1;
    if (number === FAILED || number >= (last ? pow(256, 5 - parts.length) : 256)) return FAILED;
    address += last ? number : number * pow(256, 3 - i);
  }
  const bytes = [];
  for (let i = 3; i >= 0; i--) push(bytes, floor(address / pow(256, i)) % 256);
  return join(bytes, '.');
};

// The four decimal bytes at the end of an IPv6 address, as two pieces; FAILED if they are none.
const embeddedIpv4 = (text) => {
  const parts = splitText(text, '.');
  if (parts.length !== 4) return FAILED;
  const bytes = [];
  for (let i = 0; i < 4; i++) {
    const digits = parts[i];
    if (digits === '' || digits.length > 3 || (digits.length > 1 && digits[0] === '0')) return FAILED;
    for (let k = 0; k < digits.length; k++) if (!isDigit(digits[k])) return FAILED;
    const byte = parseNumber(digits, 10);
    if (byte > 255) return FAILED;
    push(bytes, byte);
  }
  return [bytes[0] * 256 + bytes[1], bytes[2] * 256 + bytes[3]];
};

// Pieces of one side of `::`; FAILED if they are none.
const ipv6Pieces = (text, mayEmbed) => {
  const pieces = [];
  if (text === '') return pieces;
  const parts = splitText(text, ':');
  for (let i = 0; i < parts.length; i++) {
    const digits = parts[i];
    if (mayEmbed && i === parts.length - 1 && findText(digits, '.') >= 0) {
      const pair = embeddedIpv4(digits);
      if (pair === FAILED) return FAILED;
      push(pieces, pair[0], pair[1]);
      continue;
    }
    if (digits === '' || digits.length > 4) return FAILED;
    for (let k = 0; k < digits.length; k++) if (!isHex(digits[k])) return FAILED;
    push(pieces, parseNumber(digits, 16));
  }
  return pieces;
};

const parseIpv6 = (text) => {
  const gap = findText(text, '::');
  if (gap < 0) {
    const pieces = ipv6Pieces(text, true);
    return pieces === FAILED || pieces.length !== 8 ? FAILED : pieces;
  }
  const before = ipv6Pieces(sliceText(text, 0, gap), false);
  const after = ipv6Pieces(sliceText(text, gap + 2), true);
  if (before === FAILED || after === FAILED || before.length + after.length > 7) return FAILED;
  while (before.length + after.length < 8) push(before, 0);
  for (let i = 0; i < after.length; i++) push(before, after[i]);
  return before;
};

const ipv6Text = (pieces) => {
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let zeros = 0;
    while (i + zeros < 8 && pieces[i + zeros] === 0) zeros++;
    if (zeros > length) {
      start = i;
      length = zeros;
    }
    if (zeros > 0) i += zeros - 1;
  }
  let text = '';
  for (let i = 0; i < 8; i++) {
    if (i === start) {
      text += i === 0 ? '::' : ':';
      i += length - 1;
      continue;
    }
    text += numberText(pieces[i], 16);
    if (i !== 7) text += ':';
  }
  return text;
};

const parseOpaqueHost = (text) => {
  for (let i = 0; i < text.length; i++) if (inSet(FORBIDDEN_HOST, text[i])) return FAILED;
  return percentEncodeAll(text, CONTROL_SET);
};

// The host in its serialized form, or FAILED. Names beyond ASCII are not mapped but refused.
const parseHost = (text, isOpaque) => {
  if (text[0] === '[') {
    if (!endsWith(text, ']')) return FAILED;
    const pieces = parseIpv6(sliceText(text, 1, -1));
    return pieces === FAILED ? FAILED : '[' + ipv6Text(pieces) + ']';
  }
  if (isOpaque) return parseOpaqueHost(text);
  const decoded = percentDecode(text);
  if (decoded === '') return FAILED;
  for (let i = 0; i < decoded.length; i++) if (charCode(decoded, i) > 0x7f || isForbiddenDomain(decoded[i])) return FAILED;
  const domain = lowerCase(decoded);
  return endsInNumber(domain) ? parseIpv4(domain) : domain;
};
