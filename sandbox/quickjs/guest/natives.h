// What the library of JavaScript cannot do itself: bytes, digests, classes, timers, randomness.
#ifndef ALK_NATIVES_H
#define ALK_NATIVES_H

#include "calls.h"
#include "digest.h"

// ---- UTF-8 ----

// Reads one character. Gives how many bytes it takes; malformed ones are U+FFFD and take what the Encoding
// Standard replaces by one. `len` is not 0.
static uint32_t utf8_read(const uint8_t *p, uint32_t len, uint32_t *c, bool *malformed)
{
    uint8_t first = p[0], low = 0x80, high = 0xbf;
    *c = first;
    if (first < 0x80) return 1;
    *c = 0xfffd;
    uint32_t more = first >= 0xc2 && first <= 0xdf ? 1 : first >= 0xe0 && first <= 0xef ? 2
        : first >= 0xf0 && first <= 0xf4 ? 3 : 0;
    *malformed |= !more;
    if (!more) return 1;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
    uint32_t value = first & (0x3f >> more);
    for (uint32_t i = 1; i <= more; i++) {
        if (i == len || p[i] < low || p[i] > high) { *malformed = true; return i; }
        low = 0x80, high = 0xbf;
        value = value << 6 | (p[i] & 0x3f);
    }
    *c = value;
    return more + 1;
}

// utf8(string): a Uint8Array; lone surrogates become U+FFFD.
static JSValue native_utf8(JSContext *c, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    JSValue formed = js_string_toWellFormed(c, argv[0], 0, NULL);
    if (JS_IsException(formed)) return formed;
    size_t len;
    const char *text = JS_ToCStringLen(c, &len, formed);
    JS_FreeValue(c, formed);
    if (!text) return JS_EXCEPTION;
    JSValue bytes = JS_NewUint8ArrayCopy(c, (const uint8_t *)text, len);
    JS_FreeCString(c, text);
    return bytes;
}

// text(Uint8Array, fatal): the string; undefined where malformed bytes are not to be replaced.
static JSValue native_text(JSContext *c, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    size_t len;
    const uint8_t *bytes = JS_GetUint8Array(c, &len, argv[0]);
    if (!bytes) return len || JS_HasException(c) ? JS_EXCEPTION : js_empty_string(c->rt);
    bool malformed = false;
    uint32_t character;
    for (size_t at = 0; at < len && !malformed;) at += utf8_read(bytes + at, len - at, &character, &malformed);
    if (!malformed) return JS_NewStringLen(c, (const char *)bytes, len);
    if (JS_ToBool(c, argv[1])) return JS_UNDEFINED;
    StringBuffer text;
    if (string_buffer_init(c, &text, len)) return JS_EXCEPTION;
    for (size_t at = 0; at < len;) {
        at += utf8_read(bytes + at, len - at, &character, &malformed);
        if (string_buffer_putc(&text, character)) break;
    }
    return string_buffer_end(&text);
}

// ---- digests and randomness ----

// digest(Uint8Array, which): an ArrayBuffer.
static JSValue native_digest(JSContext *c, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    size_t len;
    uint32_t which;
    const uint8_t *bytes = JS_GetUint8Array(c, &len, argv[0]);
    if (!bytes && JS_HasException(c)) return JS_EXCEPTION;
    if (JS_ToUint32(c, &which, argv[1])) return JS_EXCEPTION;
    if (which >= SHA_COUNT) return JS_ThrowRangeError(c, "no such digest");
    uint8_t digest[64];
    sha_digest(&shas[which], bytes, len, digest);
    return JS_NewArrayBufferCopy(c, digest, shas[which].digest_bytes);
}

// random(Uint8Array): whether the host filled it.
static JSValue native_random(JSContext *c, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    size_t len;
    uint8_t *bytes = JS_GetUint8Array(c, &len, argv[0]);
    if (!bytes && JS_HasException(c)) return JS_EXCEPTION;
    return JS_NewBool(c, !loading && (!len || host_random(bytes, len) == 0));
}

// string(value): what `${value}` is, which the engine makes with a method of strings.
static JSValue native_string(JSContext *c, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    return JS_ToString(c, argv[0]);
}

// ---- classes ----

// What the engine knows an object as, whatever its prototype says. In the order of the engine's class ids.
static const struct { JSClassID id; const char *name; } kinds[] = {
    { JS_CLASS_OBJECT, "Object" },
    { JS_CLASS_ARRAY, "Array" },
    { JS_CLASS_ERROR, "Error" },
    { JS_CLASS_DOM_EXCEPTION, "DOMException" },
    { JS_CLASS_NUMBER, "Number" },
    { JS_CLASS_STRING, "String" },
    { JS_CLASS_BOOLEAN, "Boolean" },
    { JS_CLASS_BIG_INT, "BigInt" },
    { JS_CLASS_DATE, "Date" },
    { JS_CLASS_REGEXP, "RegExp" },
    { JS_CLASS_MAP, "Map" },
    { JS_CLASS_SET, "Set" },
    { JS_CLASS_ARRAY_BUFFER, "ArrayBuffer" },
    { JS_CLASS_UINT8C_ARRAY, "Uint8ClampedArray" },
    { JS_CLASS_INT8_ARRAY, "Int8Array" },
    { JS_CLASS_UINT8_ARRAY, "Uint8Array" },
    { JS_CLASS_INT16_ARRAY, "Int16Array" },
    { JS_CLASS_UINT16_ARRAY, "Uint16Array" },
    { JS_CLASS_INT32_ARRAY, "Int32Array" },
    { JS_CLASS_UINT32_ARRAY, "Uint32Array" },
    { JS_CLASS_BIG_INT64_ARRAY, "BigInt64Array" },
    { JS_CLASS_BIG_UINT64_ARRAY, "BigUint64Array" },
    { JS_CLASS_FLOAT16_ARRAY, "Float16Array" },
    { JS_CLASS_FLOAT32_ARRAY, "Float32Array" },
    { JS_CLASS_FLOAT64_ARRAY, "Float64Array" },
    { JS_CLASS_DATAVIEW, "DataView" },
};

// kind(value): the name of an object's class, undefined for anything that is none of the above.
static JSValue native_kind(JSContext *c, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    if (!JS_IsObject(argv[0])) return JS_UNDEFINED;
    JSClassID id = JS_VALUE_GET_OBJ(argv[0])->class_id;
    for (size_t i = 0; i < countof(kinds); i++)
        if (kinds[i].id == id) return JS_NewString(c, kinds[i].name);
    return JS_UNDEFINED;
}

// define(object, key, value): an own property, whatever the prototype has under that name.
static JSValue native_define(JSContext *c, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    JSAtom key = JS_ValueToAtom(c, argv[1]);
    if (key == JS_ATOM_NULL) return JS_EXCEPTION;
    int ok = JS_DefinePropertyValue(c, argv[0], key, js_dup(argv[2]), JS_PROP_C_W_E);
    JS_FreeAtom(c, key);
    return ok < 0 ? JS_EXCEPTION : JS_UNDEFINED;
}

// ---- time ----

// arm(ms, callback, repeats): the timer's handle.
static JSValue native_arm(JSContext *c, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    double ms;
    if (JS_ToFloat64(c, &ms, argv[0])) return JS_EXCEPTION;
    return timer_arm(ms, argv[1], JS_ToBool(c, argv[2]));
}

// disarm(handle)
static JSValue native_disarm(JSContext *c, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc;
    double handle;
    if (JS_ToFloat64(c, &handle, argv[0])) return JS_EXCEPTION;
    timer_disarm(handle);
    return JS_UNDEFINED;
}

// started(): when the call began, in milliseconds since the Unix epoch.
static JSValue native_started(JSContext *c, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)this, (void)argc, (void)argv;
    return JS_NewInt64(c, started_ms);
}

// ---- the library ----

static const char library[] = {
#embed "library.js"
    , 0
};

static bool add_native(JSValueConst natives, const char *name, JSCFunction *function, int length)
{
    return JS_DefinePropertyValueStr(cx, natives, name, JS_NewCFunction(cx, function, name, length), JS_PROP_C_W_E) >= 0;
}

// Evaluates the library: it defines its globals and leaves what links a call to its abort signal.
static bool add_library(JSValueConst global)
{
    JSValue natives = JS_NewObjectProto(cx, JS_NULL);
    bool ok = !JS_IsException(natives) && add_native(natives, "utf8", native_utf8, 1)
        && add_native(natives, "text", native_text, 2) && add_native(natives, "digest", native_digest, 2)
        && add_native(natives, "random", native_random, 1) && add_native(natives, "kind", native_kind, 1) && add_native(natives, "string", native_string, 1)
        && add_native(natives, "define", native_define, 3) && add_native(natives, "arm", native_arm, 3) && add_native(natives, "disarm", native_disarm, 1)
        && add_native(natives, "started", native_started, 0);
    JSValue evaluate = ok ? JS_Eval(cx, library, sizeof library - 1, LIBRARY_FILE, JS_EVAL_TYPE_GLOBAL) : JS_EXCEPTION;
    JSValueConst args[2] = { natives, global };
    attach = JS_IsException(evaluate) ? JS_EXCEPTION : JS_Call(cx, evaluate, JS_UNDEFINED, 2, args);
    JS_FreeValue(cx, evaluate);
    JS_FreeValue(cx, natives);
    return JS_IsFunction(cx, attach);
}

#endif
