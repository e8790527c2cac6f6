// console: every line goes to the host's bounded log.
#ifndef ALK_CONSOLE_H
#define ALK_CONSOLE_H

#include "errors.h"

static void show(StringBuffer *line, JSValueConst v)
{
    JSValue s;
    if (is_error(v)) {
        JSValue stack = stack_of(v);
        s = js_error_toString(cx, v, 0, NULL);
        if (JS_IsString(s) && JS_IsString(stack)) {
            string_buffer_concat_value_free(line, s);
            string_buffer_putc8(line, '\n');
            s = stack;
        } else {
            JS_FreeValue(cx, stack);
        }
    } else if (JS_IsFunction(cx, v)) {
        s = JS_NewString(cx, "[function]");
    } else if (JS_IsSymbol(v)) {
        s = JS_NewString(cx, "[symbol]");
    } else if (JS_IsObject(v)) {
        s = describe(v);
    } else {
        s = JS_ToString(cx, v);
    }
    if (JS_IsException(s)) { drop_exception(); s = JS_NewString(cx, "[unprintable]"); }
    if (!JS_IsException(s)) string_buffer_concat_value_free(line, s);
}

static JSValue console_write(JSContext *c, JSValueConst this, int argc, JSValueConst *argv, int level)
{
    (void)this;
    StringBuffer line;
    if (string_buffer_init(c, &line, 0)) return JS_EXCEPTION;
    for (int i = 0; i < argc; i++) {
        if (i) string_buffer_putc8(&line, ' ');
        show(&line, argv[i]);
    }
    JSValue text = string_buffer_end(&line);
    if (JS_IsException(text)) return text;
    size_t len;
    const char *s = JS_ToCStringLen(c, &len, text);
    JS_FreeValue(c, text);
    if (!s) return JS_EXCEPTION;
    host_log((uint32_t)level, s, (uint32_t)len);
    JS_FreeCString(c, s);
    return JS_UNDEFINED;
}

static bool add_console(JSValueConst global)
{
    static const char *const names[] = { "debug", "info", "log", "warn", "error" };
    static const int levels[] = { 0, 1, 1, 2, 3 };
    JSValue console = JS_NewObject(cx);
    if (JS_IsException(console)) return false;
    for (size_t i = 0; i < countof(names); i++) {
        JSValue f = JS_NewCFunctionMagic(cx, console_write, names[i], 1, JS_CFUNC_generic_magic, levels[i]);
        if (JS_DefinePropertyValueStr(cx, console, names[i], f, JS_PROP_C_W_E) < 0) return false;
    }
    return JS_DefinePropertyValueStr(cx, global, "console", console, JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE) >= 0;
}

#endif
