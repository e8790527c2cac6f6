// From a thrown value to the error the host reads, without trusting anything the tool can redefine.
#ifndef ALK_ERRORS_H
#define ALK_ERRORS_H

#include "output.h"

static bool has_proto(JSValueConst v, JSValueConst proto)
{
    if (!JS_IsObject(v) || !JS_IsObject(proto)) return false;
    JSObject *want = JS_VALUE_GET_OBJ(proto);
    for (JSObject *p = JS_VALUE_GET_OBJ(v)->shape->proto; p; p = p->shape->proto)
        if (p == want) return true;
    return false;
}

// Own data property holding a string, without running anything.
static JSValue own_string(JSValueConst v, JSAtom name)
{
    JSProperty *pr;
    JSShapeProperty *prs = find_own_property(&pr, JS_VALUE_GET_OBJ(v), name);
    if (!prs || (prs->flags & JS_PROP_TMASK) != JS_PROP_NORMAL || !JS_IsString(pr->u.value)) return JS_UNDEFINED;
    return js_dup(pr->u.value);
}

static bool own_message_is(JSValueConst v, const char *text)
{
    JSValue m = own_string(v, JS_ATOM_message);
    const char *s = JS_IsString(m) ? JS_ToCString(cx, m) : NULL;
    bool same = s && !strcmp(s, text);
    if (s) JS_FreeCString(cx, s);
    JS_FreeValue(cx, m);
    return same;
}

// An error the engine itself raised: right class, right words.
static bool engine_error(JSValueConst v, JSErrorEnum class, const char *text)
{
    return has_proto(v, cx->native_error_proto[class]) && own_message_is(v, text);
}

static JSValue shorten(JSValue string, int units)
{
    if (!JS_IsString(string)) return string;
    if (JS_VALUE_GET_TAG(string) == JS_TAG_STRING_ROPE) string = JS_ToStringFree(cx, string);
    if (JS_IsException(string)) { drop_exception(); return JS_UNDEFINED; }
    JSString *p = JS_VALUE_GET_STRING(string);
    if ((int)p->len <= units) return string;
    JSValue cut = js_sub_string(cx, p, 0, units);
    JS_FreeValue(cx, string);
    if (JS_IsException(cut)) { drop_exception(); return JS_UNDEFINED; }
    return cut;
}

static void put(JSValueConst o, const char *name, JSValue v)
{
    if (JS_IsException(v)) { drop_exception(); return; }
    if (JS_IsUndefined(v)) return;
    if (JS_DefinePropertyValueStr(cx, o, name, v, JS_PROP_C_W_E) < 0) drop_exception();
}

// A property as a string; the tool's getters may run, what they throw is dropped.
static JSValue text_of(JSValueConst v, const char *name)
{
    JSValue p = JS_GetPropertyStr(cx, v, name);
    if (!JS_IsException(p) && !JS_IsUndefined(p)) p = JS_ToStringFree(cx, p);
    if (JS_IsException(p)) { drop_exception(); return JS_UNDEFINED; }
    return p;
}

static JSValue stack_of(JSValueConst v)
{
    JSObject *p = JS_VALUE_GET_OBJ(v);
    if (p->class_id == JS_CLASS_ERROR && JS_IsString(p->u.object_data)) return js_dup(p->u.object_data);
    return own_string(v, JS_ATOM_stack);
}

static JSValue describe(JSValueConst v)
{
    JSValue s = JS_IsObject(v) && !JS_IsFunction(cx, v) ? to_json(v) : JS_ToString(cx, v);
    if (JS_IsException(s) || !JS_IsString(s)) {
        if (JS_IsException(s)) drop_exception();
        return JS_NewString(cx, "a value that cannot be shown");
    }
    return s;
}

// An error object, or the one kind of exception that is none.
static bool is_error(JSValueConst v)
{
    return JS_IsError(v) || (JS_IsObject(v) && JS_VALUE_GET_OBJ(v)->class_id == JS_CLASS_DOM_EXCEPTION);
}

// Writes {kind,name,message,stack,code,retryable,details}; details is JSON text inside a string.
static int32_t out_error_as(const char *kind, JSValueConst e)
{
    JSValue o = JS_NewObjectProto(cx, JS_NULL);
    if (JS_IsException(o)) goto failed;
    put(o, "kind", JS_NewString(cx, kind));
    if (is_error(e)) {
        put(o, "name", shorten(text_of(e, "name"), MESSAGE_UNITS_MAX));
        put(o, "message", shorten(text_of(e, "message"), MESSAGE_UNITS_MAX));
        put(o, "stack", shorten(stack_of(e), STACK_UNITS_MAX));
    } else {
        put(o, "name", JS_NewString(cx, "Thrown"));
        put(o, "message", shorten(describe(e), MESSAGE_UNITS_MAX));
    }
    if (has_proto(e, call_error_proto) || has_proto(e, operation_error_proto)) {
        put(o, "code", shorten(text_of(e, "code"), MESSAGE_UNITS_MAX));
        JSValue v = JS_GetPropertyStr(cx, e, "retryable");
        if (JS_IsException(v)) drop_exception();
        put(o, "retryable", JS_NewBool(cx, JS_IsBool(v) && JS_VALUE_GET_BOOL(v)));
        JS_FreeValue(cx, v);
        v = JS_GetPropertyStr(cx, e, "details");
        if (JS_IsException(v)) drop_exception();
        else if (!JS_IsUndefined(v)) put(o, "details", to_json(v));
        JS_FreeValue(cx, v);
    }
    JSValue json = to_json(o);
    JS_FreeValue(cx, o);
    if (JS_IsException(json) || !out_string(json)) goto failed;
    return ERR;
failed:
    drop_exception();
    out_clear();
    out_static(out_of_memory ? "{\"kind\":\"memory\"}" : "{\"kind\":\"throw\",\"name\":\"Error\",\"message\":\"\"}");
    return ERR;
}

static bool is_memory_error(JSValueConst e)
{
    return engine_error(e, JS_INTERNAL_ERROR, "out of memory")
        || engine_error(e, JS_INTERNAL_ERROR, "out of memory in regexp execution")
        || (out_of_memory && JS_IsNull(e)); // the engine throws null when there is no room for an error object
}

// Takes `e`. `otherwise` is the kind of an error that is none of the recognised ones.
static int32_t out_error(JSValue e, const char *otherwise)
{
    int32_t status = ERR;
    if (is_memory_error(e)) {
        out_clear();
        out_static("{\"kind\":\"memory\"}");
    } else if (engine_error(e, JS_RANGE_ERROR, "Maximum call stack size exceeded")) {
        status = out_error_as("stack", e);
    } else if (has_proto(e, operation_error_proto)) {
        status = out_error_as("operation", e);
    } else if (has_proto(e, call_error_proto)) {
        status = out_error_as("call", e);
    } else {
        status = out_error_as(otherwise, e);
    }
    JS_FreeValue(cx, e);
    return status;
}

static int32_t out_message(const char *kind, const char *message)
{
    JSValue e = JS_NewPlainError(cx, "%s", message);
    if (JS_IsException(e)) e = take_exception();
    int32_t status = out_error_as(kind, e);
    JS_FreeValue(cx, e);
    return status;
}

#endif
