// What an entry leaves for the host: one text, at an address the I/O block names.
#ifndef ALK_OUTPUT_H
#define ALK_OUTPUT_H

static void out_static(const char *text)
{
    io.out_ptr = (uint32_t)(uintptr_t)text;
    io.out_len = (uint32_t)strlen(text);
}

static void out_clear(void)
{
    if (out_text) JS_FreeCString(cx, out_text);
    out_text = NULL;
    io.out_ptr = io.out_len = 0;
}

static JSValue take_exception(void) { return JS_GetException(cx); }
static void drop_exception(void) { JS_FreeValue(cx, take_exception()); }

// Takes a string value; false with an exception pending when it cannot be encoded.
static bool out_string(JSValue string)
{
    size_t len;
    out_clear();
    out_text = JS_ToCStringLen(cx, &len, string);
    JS_FreeValue(cx, string);
    if (!out_text) return false;
    io.out_ptr = (uint32_t)(uintptr_t)out_text;
    io.out_len = (uint32_t)len;
    return true;
}

static JSValue to_json(JSValueConst v) { return JS_JSONStringify(cx, v, JS_UNDEFINED, JS_UNDEFINED); }

#endif
