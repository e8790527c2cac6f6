// env: the operations as nested frozen objects without prototype.
#ifndef ALK_ENV_H
#define ALK_ENV_H

#include "calls.h"

typedef struct { JSValue *nodes; uint32_t len, cap; } Nodes;

static bool nodes_push(Nodes *list, JSValueConst v)
{
    if (list->len == list->cap) {
        uint32_t cap = list->cap ? list->cap * 2 : 16;
        JSValue *grown = js_realloc(cx, list->nodes, cap * sizeof(JSValue));
        if (!grown) return false;
        list->nodes = grown;
        list->cap = cap;
    }
    list->nodes[list->len++] = js_dup(v);
    return true;
}

// The own property `key` of `node` when it is an object, else undefined. Nothing can intercept it.
static JSValue child_of(JSValueConst node, JSAtom key)
{
    JSProperty *pr;
    JSShapeProperty *prs = find_own_property(&pr, JS_VALUE_GET_OBJ(node), key);
    if (!prs || (prs->flags & JS_PROP_TMASK) != JS_PROP_NORMAL || !JS_IsObject(pr->u.value)) return JS_UNDEFINED;
    return pr->u.value;
}

static bool node_add(Nodes *list, JSValueConst parent, JSAtom key, JSValue child)
{
    if (JS_IsException(child)) return false;
    if (!nodes_push(list, child)) { JS_FreeValue(cx, child); return false; }
    return JS_DefinePropertyValue(cx, parent, key, child, JS_PROP_C_W_E) >= 0;
}

// `name` is NUL-terminated. Names come sorted, so `fs` is there before `fs/read` hangs below it.
static bool env_add(Nodes *list, JSValueConst root, const char *name)
{
    JSValueConst node = root;
    const char *segment = name;
    for (;;) {
        const char *end = strchr(segment, '/');
        JSAtom key = JS_NewAtomLen(cx, segment, end ? (size_t)(end - segment) : strlen(segment));
        if (key == JS_ATOM_NULL) return false;
        bool ok = true;
        JSValue next = child_of(node, key);
        if (!end) {
            if (!JS_IsObject(next)) {
                JSValue full = JS_NewString(cx, name);
                ok = !JS_IsException(full)
                    && node_add(list, node, key, JS_NewCFunctionData2(cx, env_operation, name, 1, 0, 1, vc(&full)));
                JS_FreeValue(cx, full);
            }
        } else if (!JS_IsObject(next)) {
            ok = node_add(list, node, key, JS_NewObjectProto(cx, JS_NULL));
            next = ok ? child_of(node, key) : JS_UNDEFINED;
        }
        JS_FreeAtom(cx, key);
        if (!ok || !end) return ok;
        node = next;
        segment = end + 1;
    }
}

// `names` is a sequence of `count` NUL-terminated names.
static JSValue env_build(const char *names, uint32_t count)
{
    Nodes list = { 0 };
    JSValue root = JS_NewObjectProto(cx, JS_NULL);
    bool ok = !JS_IsException(root) && nodes_push(&list, root);
    for (uint32_t i = 0; ok && i < count; i++, names += strlen(names) + 1) ok = env_add(&list, root, names);
    // Last, so that it wins over an operation or namespace of that name.
    ok = ok && JS_DefinePropertyValueStr(cx, root, "invoke", JS_NewCFunction(cx, env_invoke, "invoke", 2), JS_PROP_C_W_E) >= 0;
    if (ok) {
        JSValue f = JS_GetPropertyStr(cx, root, "invoke");
        ok = nodes_push(&list, f);
        JS_FreeValue(cx, f);
    }
    for (uint32_t i = 0; i < list.len; i++) {
        ok = ok && JS_FreezeObject(cx, list.nodes[i]) >= 0;
        JS_FreeValue(cx, list.nodes[i]);
    }
    js_free(cx, list.nodes);
    if (ok) return root;
    JS_FreeValue(cx, root);
    return JS_EXCEPTION;
}

#endif
