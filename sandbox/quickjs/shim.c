// One JavaScript tool in one WebAssembly instance: the whole of what the host and quickjs-ng say to each other.
//
// quickjs.c is included, not linked, because three things need its internals: reseeding Math.random, taking the
// code compiler away before the tool runs, and reading errors without running the tool's getters.
// Nothing here looks up a name the tool can redefine: JSON, promises and error classes are reached through C.
// The ABI is described in README.md.

#include <stddef.h>
extern size_t malloc_usable_size(void *);
#include "quickjs.c"
#include "libc_tail.h"

#define EXPORT(name) __attribute__((export_name("alk_" #name), used))
#define IMPORT(name) __attribute__((import_module("alk"), import_name(#name))) extern

// Queues a host call; 0 = queued, otherwise the name is not valid Unicode.
IMPORT(call) int32_t host_call(uint32_t id, const char *name, uint32_t name_len, const char *input, uint32_t input_len);
IMPORT(log) void host_log(uint32_t level, const char *text, uint32_t len);

enum status { OK = 0, ERR = 1, PENDING = 2, STALLED = 3 };

#define IN_BYTES (64 * 1024)
#define MESSAGE_UNITS_MAX 8192
#define STACK_UNITS_MAX 16384
#define TOOL_FILE "tool"
#define PRELUDE_FILE "prelude"
#define GC_THRESHOLD_BYTES (4 * 1024 * 1024)

// Read and written by the host at a fixed address; the order of the fields is ABI.
static struct {
    uint32_t in_ptr, in_cap, out_ptr, out_len;
} io;
static char in_fixed[IN_BYTES + 1];

static JSRuntime *rt;
static JSContext *cx;
static JSValue tool;                        // the module's default export
static JSValue env;                         // what it gets as second argument
static JSValue result;                      // promise of the call in flight
static JSValue call_error_proto, operation_error_proto;
static const char *out_text;
static bool out_of_memory;                  // an allocation failed since the current entry

// ---- memory: the limit is the instance's linear memory, so failing malloc is the only signal ----

static void *note(void *p) { if (!p) out_of_memory = true; return p; }
static void *mem_calloc(void *o, size_t n, size_t size) { (void)o; return note(calloc(n, size)); }
static void *mem_malloc(void *o, size_t size) { (void)o; return note(malloc(size)); }
static void mem_free(void *o, void *p) { (void)o; free(p); }
static void *mem_realloc(void *o, void *p, size_t size) { (void)o; void *q = realloc(p, size); return size ? note(q) : q; }
static size_t mem_usable(const void *p) { return p ? malloc_usable_size((void *)p) : 0; }
static const JSMallocFunctions memory = { mem_calloc, mem_malloc, mem_free, mem_realloc, mem_usable };

// ---- output ----

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

// ---- errors ----

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

// Writes {kind,name,message,stack,code,retryable,details}; details is JSON text inside a string.
static int32_t out_error_as(const char *kind, JSValueConst e)
{
    JSValue o = JS_NewObjectProto(cx, JS_NULL);
    if (JS_IsException(o)) goto failed;
    put(o, "kind", JS_NewString(cx, kind));
    if (JS_IsObject(e) && JS_IsError(e)) {
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

// Takes the tool's return value and writes it as JSON; undefined is null.
static int32_t out_result(JSValue v)
{
    if (JS_IsUndefined(v)) { out_clear(); out_static("null"); return OK; }
    if (JS_IsObject(v)) {
        JSClassID class = JS_VALUE_GET_OBJ(v)->class_id;
        if (class == JS_CLASS_GENERATOR || class == JS_CLASS_ASYNC_GENERATOR) {
            JS_FreeValue(cx, v);
            return out_message("output", "the tool returned a generator; return a value or a promise");
        }
    }
    JSValue json = to_json(v);
    JS_FreeValue(cx, v);
    if (JS_IsUndefined(json)) return out_message("output", "the tool returned a function or a symbol");
    if (!JS_IsException(json) && out_string(json)) return OK;
    JSValue e = take_exception();
    bool not_json = engine_error(e, JS_TYPE_ERROR, "circular reference")
        || engine_error(e, JS_TYPE_ERROR, "BigInt are forbidden in JSON.stringify");
    return out_error(e, not_json ? "output" : "throw");
}

// ---- host calls ----

typedef struct {
    JSValue promise;
    JSValue caller;                         // function that made the call, for the error's position
    uint32_t pc;
    uint32_t next_free;
    bool live;
} Call;

#define NO_CALL UINT32_MAX
static Call *calls;
static uint32_t calls_len, calls_cap, calls_live, calls_free = NO_CALL;

static uint32_t call_slot(void)
{
    if (calls_free != NO_CALL) {
        uint32_t id = calls_free;
        calls_free = calls[id].next_free;
        return id;
    }
    if (calls_len == calls_cap) {
        uint32_t cap = calls_cap ? calls_cap * 2 : 16;
        Call *grown = js_realloc(cx, calls, cap * sizeof *calls);
        if (!grown) return NO_CALL;
        calls = grown;
        calls_cap = cap;
    }
    return calls_len++;
}

static void call_release(uint32_t id)
{
    calls[id].live = false;
    calls[id].next_free = calls_free;
    calls_free = id;
}

static JSStackFrame *nearest_bytecode_frame(void)
{
    for (JSStackFrame *sf = rt->current_stack_frame; sf; sf = sf->prev_frame)
        if (JS_IsObject(sf->cur_func) && js_class_has_bytecode(JS_VALUE_GET_OBJ(sf->cur_func)->class_id)) return sf;
    return NULL;
}

static void remember_caller(Call *call)
{
    JSStackFrame *sf = nearest_bytecode_frame();
    call->caller = JS_UNDEFINED;
    if (!sf || !sf->cur_pc) return;
    JSFunctionBytecode *b = JS_VALUE_GET_OBJ(sf->cur_func)->u.func.function_bytecode;
    call->caller = js_dup(sf->cur_func);
    call->pc = (uint32_t)(sf->cur_pc - b->byte_code_buf) - 1;
}

static JSValue caller_stack(const Call *call)
{
    if (!JS_IsObject(call->caller)) return JS_UNDEFINED;
    JSFunctionBytecode *b = JS_VALUE_GET_OBJ(call->caller)->u.func.function_bytecode;
    int column, line = find_line_num(cx, b, call->pc, &column);
    const char *name = get_func_name(cx, call->caller);
    const char *file = b->filename ? JS_AtomToCString(cx, b->filename) : NULL;
    DynBuf text;
    js_dbuf_init(cx, &text);
    dbuf_printf(&text, "    at %s (%s:%d:%d)\n", name && *name ? name : "<anonymous>", file ? file : "", line, column);
    JSValue stack = dbuf_error(&text) ? JS_UNDEFINED : JS_NewStringLen(cx, (char *)text.buf, text.size);
    dbuf_free(&text);
    JS_FreeCString(cx, name);
    JS_FreeCString(cx, file);
    return stack;
}

// A pending promise without resolving functions: only `settle` settles it, and a JSON value is never a thenable.
static JSValue promise_new(void)
{
    JSValue promise = JS_NewObjectProtoClass(cx, cx->class_proto[JS_CLASS_PROMISE], JS_CLASS_PROMISE);
    if (JS_IsException(promise)) return promise;
    JSPromiseData *data = js_mallocz(cx, sizeof *data);
    if (!data) { JS_FreeValue(cx, promise); return JS_EXCEPTION; }
    data->promise_state = JS_PROMISE_PENDING;
    data->promise_result = JS_UNDEFINED;
    init_list_head(&data->promise_reactions[0]);
    init_list_head(&data->promise_reactions[1]);
    JS_SetOpaqueInternal(promise, data);
    return promise;
}

// Hands one call to the host. False with an exception pending.
static bool send(JSValueConst name, JSValueConst input, JSValueConst promise)
{
    if (!JS_IsString(name)) { JS_ThrowTypeError(cx, "env.invoke: the operation's name must be a string"); return false; }
    JSValue json = JS_IsUndefined(input) ? JS_NewString(cx, "{}") : to_json(input);
    if (JS_IsException(json)) return false;
    if (!JS_IsString(json)) { JS_ThrowTypeError(cx, "the input of a call must be a JSON value"); return false; }
    size_t name_len, json_len;
    const char *json_text = JS_ToCStringLen(cx, &json_len, json);
    JS_FreeValue(cx, json);
    if (!json_text) return false;
    const char *name_text = JS_ToCStringLen(cx, &name_len, name);
    uint32_t id = name_text ? call_slot() : NO_CALL;
    bool sent = false;
    if (id != NO_CALL) {
        sent = host_call(id, name_text, name_len, json_text, json_len) == 0;
        if (sent) {
            Call *call = &calls[id];
            call->promise = js_dup(promise);
            call->live = true;
            calls_live++;
            remember_caller(call);
        } else {
            call_release(id);
            JS_ThrowTypeError(cx, "env.invoke: the operation's name must be valid Unicode");
        }
    }
    if (name_text) JS_FreeCString(cx, name_text);
    JS_FreeCString(cx, json_text);
    return sent;
}

// Like an async function, it never throws: what goes wrong rejects the promise.
static JSValue invoke(JSValueConst name, JSValueConst input)
{
    JSValue promise = promise_new();
    if (JS_IsException(promise) || send(name, input, promise)) return promise;
    JSValue e = take_exception();
    fulfill_or_reject_promise(cx, promise, e, true);
    JS_FreeValue(cx, e);
    return promise;
}

static JSValue env_invoke(JSContext *c, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)c, (void)this;
    return invoke(argc > 0 ? argv[0] : JS_UNDEFINED, argc > 1 ? argv[1] : JS_UNDEFINED);
}

static JSValue env_operation(JSContext *c, JSValueConst this, int argc, JSValueConst *argv, int magic, JSValueConst *data)
{
    (void)c, (void)this, (void)magic;
    return invoke(data[0], argc > 0 ? argv[0] : JS_UNDEFINED);
}

// ---- env: the operations as nested frozen objects without prototype ----

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

// ---- console ----

static void show(StringBuffer *line, JSValueConst v)
{
    JSValue s;
    if (JS_IsObject(v) && JS_VALUE_GET_OBJ(v)->class_id == JS_CLASS_ERROR) {
        s = js_error_toString(cx, v, 0, NULL);
        JSValueConst stack = JS_VALUE_GET_OBJ(v)->u.object_data;
        if (JS_IsString(s) && JS_IsString(stack)) {
            string_buffer_concat_value_free(line, s);
            string_buffer_putc8(line, '\n');
            s = js_dup(stack);
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

// ---- the base image ----

static const char prelude[] =
    "(() => {\n"
    "  'use strict';\n"
    "  const define = (name, type) => {\n"
    "    Object.defineProperty(type.prototype, 'name', { value: name, writable: true, configurable: true });\n"
    "    Object.defineProperty(globalThis, name, { value: type, writable: true, configurable: true });\n"
    "  };\n"
    "  define('CallError', class CallError extends Error {\n"
    "    constructor(code, message, retryable, details) {\n"
    "      super(message); this.code = `${code}`; this.retryable = !!retryable; this.details = details;\n"
    "    }\n"
    "  });\n"
    "  define('OperationError', class OperationError extends Error {\n"
    "    constructor(code, message, details) { super(message); this.code = `${code}`; this.details = details; }\n"
    "  });\n"
    "})()";

static JSModuleDef *no_module(JSContext *c, const char *name, void *opaque)
{
    (void)name, (void)opaque;
    JS_ThrowTypeError(c, "imports are not available: all a tool may use is in its second argument, env");
    return NULL;
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

static JSValue prototype_of(JSValueConst global, const char *name)
{
    JSValue type = JS_GetPropertyStr(cx, global, name);
    JSValue proto = JS_GetPropertyStr(cx, type, "prototype");
    JS_FreeValue(cx, type);
    return proto;
}

EXPORT(io) uint32_t alk_io(void) { return (uint32_t)(uintptr_t)&io; }

EXPORT(init) int32_t alk_init(uint32_t stack_bytes)
{
    io.in_ptr = (uint32_t)(uintptr_t)in_fixed;
    io.in_cap = IN_BYTES;
    tool = env = result = call_error_proto = operation_error_proto = JS_UNDEFINED;
    rt = JS_NewRuntime2(&memory, NULL);
    if (!rt) return ERR;
    JS_SetMaxStackSize(rt, stack_bytes);
    JS_SetGCThreshold(rt, GC_THRESHOLD_BYTES);
    JS_SetModuleLoaderFunc(rt, NULL, no_module, NULL);
    cx = JS_NewContextRaw(rt);
    if (!cx || JS_AddIntrinsicBaseObjects(cx) || JS_AddIntrinsicDate(cx) || JS_AddIntrinsicEval(cx)
        || JS_AddIntrinsicRegExp(cx) || JS_AddIntrinsicJSON(cx) || JS_AddIntrinsicProxy(cx)
        || JS_AddIntrinsicMapSet(cx) || JS_AddIntrinsicTypedArrays(cx) || JS_AddIntrinsicPromise(cx)
        || JS_AddIntrinsicWeakRef(cx) || JS_AddIntrinsicAToB(cx)) return ERR;
    JSValue done = JS_Eval(cx, prelude, sizeof prelude - 1, PRELUDE_FILE, JS_EVAL_TYPE_GLOBAL);
    if (JS_IsException(done)) return ERR;
    JS_FreeValue(cx, done);
    JSValue global = JS_GetGlobalObject(cx);
    call_error_proto = prototype_of(global, "CallError");
    operation_error_proto = prototype_of(global, "OperationError");
    JSAtom eval = JS_NewAtom(cx, "eval");
    bool ok = JS_IsObject(call_error_proto) && JS_IsObject(operation_error_proto) && add_console(global)
        && JS_DeleteProperty(cx, global, eval, 0) > 0;
    JS_FreeAtom(cx, eval);
    JS_FreeValue(cx, global);
    JS_RunGC(rt);
    return ok ? OK : ERR;
}

// ---- running ----

static void enter(uint32_t stack_bytes)
{
    out_clear();
    out_of_memory = false;
    if (stack_bytes) JS_SetMaxStackSize(rt, stack_bytes);
    JS_UpdateStackTop(rt);
}

// Runs what is runnable, then says where the call stands. A call is over when its promise is rejected, or is
// fulfilled and every host call it started is settled.
static int32_t pump(void)
{
    JSContext *c;
    int ran;
    while ((ran = JS_ExecutePendingJob(rt, &c)) > 0)
        if (JS_PromiseState(cx, result) == JS_PROMISE_REJECTED) break;
    if (ran < 0) return out_error(take_exception(), "throw");
    switch (JS_PromiseState(cx, result)) {
    case JS_PROMISE_REJECTED:
        return out_error(JS_PromiseResult(cx, result), "throw");
    case JS_PROMISE_FULFILLED:
        return calls_live ? PENDING : out_result(JS_PromiseResult(cx, result));
    default:
        return calls_live ? PENDING : STALLED;
    }
}

// Takes the tool's return value: anything but a promise is resolved into one, as await would.
static int32_t follow(JSValue returned)
{
    if (JS_IsException(returned)) return out_error(take_exception(), "throw");
    if (JS_IsPromise(returned)) {
        result = returned;
        return pump();
    }
    JSValue functions[2];
    result = JS_NewPromiseCapability(cx, functions);
    if (JS_IsException(result)) {
        result = JS_UNDEFINED;
        JS_FreeValue(cx, returned);
        return out_error(take_exception(), "throw");
    }
    JSValue r = JS_Call(cx, functions[0], JS_UNDEFINED, 1, vc(&returned));
    JS_FreeValue(cx, returned);
    JS_FreeValue(cx, functions[0]);
    JS_FreeValue(cx, functions[1]);
    if (JS_IsException(r)) return out_error(take_exception(), "throw");
    JS_FreeValue(cx, r);
    return pump();
}

// A buffer of at least `len` bytes for the next message, for messages longer than the fixed one. 0 = no memory.
EXPORT(reserve) uint32_t alk_reserve(uint32_t len)
{
    if (len <= io.in_cap) return io.in_ptr;
    if (io.in_ptr != (uint32_t)(uintptr_t)in_fixed) free((void *)(uintptr_t)io.in_ptr);
    io.in_ptr = (uint32_t)(uintptr_t)in_fixed;
    io.in_cap = IN_BYTES;
    char *p = len < UINT32_MAX ? malloc((size_t)len + 1) : NULL;
    if (!p) return 0;
    io.in_ptr = (uint32_t)(uintptr_t)p;
    io.in_cap = len;
    return io.in_ptr;
}

static char *in(void) { return (char *)(uintptr_t)io.in_ptr; }

// Wipes the message and goes back to the fixed buffer, so that no source text stays in the snapshot's pages.
static void in_wipe(uint32_t len)
{
    memset(in(), 0, len);
    if (in() == in_fixed) return;
    free(in());
    io.in_ptr = (uint32_t)(uintptr_t)in_fixed;
    io.in_cap = IN_BYTES;
}

static int32_t load(const char *source, uint32_t source_len, const char *names, uint32_t names_count)
{
    env = env_build(names, names_count);
    if (JS_IsException(env)) { env = JS_UNDEFINED; return out_error(take_exception(), "throw"); }
    JSValue compiled = JS_Eval(cx, source, source_len, TOOL_FILE, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
    // From here on there is no compiler: every road to new code (Function constructors included) throws.
    cx->eval_internal = NULL;
    if (JS_IsException(compiled)) return out_error(take_exception(), "syntax");
    JSModuleDef *module = JS_VALUE_GET_PTR(compiled);
    result = JS_EvalFunction(cx, compiled);
    if (JS_IsException(result)) { result = JS_UNDEFINED; return out_error(take_exception(), "throw"); }
    int32_t status = pump();
    JS_FreeValue(cx, result);
    result = JS_UNDEFINED;
    if (status != OK) return status;
    out_clear();
    JSValue exports = JS_GetModuleNamespace(cx, module);
    if (JS_IsException(exports)) return out_error(take_exception(), "throw");
    tool = JS_GetPropertyStr(cx, exports, "default");
    JS_FreeValue(cx, exports);
    if (JS_IsException(tool)) { tool = JS_UNDEFINED; return out_error(take_exception(), "throw"); }
    if (!JS_IsFunction(cx, tool))
        return out_message("export", "the module has no default export that is a function: "
                                     "write `export default async function (input, env) { ... }`");
    return OK;
}

// In the buffer: the source, NUL, then `names_count` NUL-terminated operation names.
EXPORT(load) int32_t alk_load(uint32_t source_len, uint32_t len, uint32_t names_count, uint32_t stack_bytes)
{
    enter(stack_bytes);
    if (len > io.in_cap || source_len >= len) return -1;
    in()[len] = 0;
    int32_t status = load(in(), source_len, in() + source_len + 1, names_count);
    in_wipe(len);
    return status;
}

// In the buffer: the input as JSON.
EXPORT(call) int32_t alk_call(uint32_t len, uint64_t seed, uint32_t stack_bytes)
{
    enter(stack_bytes);
    if (len > io.in_cap) return -1;
    cx->random_state = seed ? seed : 1;
    in()[len] = 0;
    JSValue args[2] = { JS_ParseJSON(cx, in(), len, "input"), env };
    if (JS_IsException(args[0])) return out_error(take_exception(), "input");
    JSValue returned = JS_Call(cx, tool, JS_UNDEFINED, 2, vc(args));
    JS_FreeValue(cx, args[0]);
    return follow(returned);
}

static JSValue call_error(JSValueConst fields, const Call *call)
{
    JSValue e = JS_NewObjectProtoClass(cx, call_error_proto, JS_CLASS_ERROR);
    if (JS_IsException(e)) return e;
    static const char *const names[] = { "message", "code", "retryable", "details" };
    for (size_t i = 0; i < countof(names); i++) {
        JSValue v = JS_GetPropertyStr(cx, fields, names[i]);
        int flags = i ? JS_PROP_C_W_E : JS_PROP_C_W_E & ~JS_PROP_ENUMERABLE;
        if (JS_DefinePropertyValueStr(cx, e, names[i], v, flags) < 0) { JS_FreeValue(cx, e); return JS_EXCEPTION; }
    }
    JSValue stack = caller_stack(call);
    if (JS_IsException(stack)) { drop_exception(); stack = JS_UNDEFINED; }
    JS_VALUE_GET_OBJ(e)->u.object_data = stack;
    return e;
}

static void settle(uint32_t id, bool failed, const char *json, uint32_t len)
{
    Call call = calls[id];
    call_release(id);
    calls_live--;
    JSValue v = JS_ParseJSON(cx, json, len, "result");
    if (failed && !JS_IsException(v)) {
        JSValue fields = v;
        v = call_error(fields, &call);
        JS_FreeValue(cx, fields);
    }
    if (JS_IsException(v)) { failed = true; v = take_exception(); }
    fulfill_or_reject_promise(cx, call.promise, v, failed);
    JS_FreeValue(cx, v);
    JS_FreeValue(cx, call.promise);
    JS_FreeValue(cx, call.caller);
}

// In the buffer: records of {u32 id, u32 failed, u32 len, len bytes of JSON, NUL}, unpadded.
EXPORT(settle) int32_t alk_settle(uint32_t len)
{
    enter(0);
    if (len > io.in_cap) return -1;
    uint32_t at = 0;
    while (at < len) {
        uint32_t head[3];
        if (len - at < sizeof head) return -1;
        memcpy(head, in() + at, sizeof head);
        at += sizeof head;
        if (head[2] >= len - at || in()[at + head[2]] || head[0] >= calls_len || !calls[head[0]].live) return -1;
        settle(head[0], head[1], in() + at, head[2]);
        at += head[2] + 1;
    }
    return pump();
}
