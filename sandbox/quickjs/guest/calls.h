// What the tool waits for: host calls and timers. They share one table, whose indices are the ids the host knows.
#ifndef ALK_CALLS_H
#define ALK_CALLS_H

#include "errors.h"

enum slot_kind {
    SLOT_FREE,
    SLOT_CALL,
    SLOT_TIMER,
    SLOT_CANCELLED,                         // its answer is in the message being read: the id is not free before that
};

typedef struct {
    enum slot_kind kind;
    bool due;                               // its answer is in the message being read
    bool repeats;
    uint32_t ms;
    uint32_t next_free;
    uint32_t pc;
    JSValue caller;                         // function that made the call, for the error's position
    JSValue target;                         // a call's promise, a timer's callback
    JSValue detach;                         // makes the call's abort signal forget it
    double handle;                          // what the tool knows the timer by
} Slot;

#define NO_SLOT UINT32_MAX
static Slot *slots;
static uint32_t slots_len, slots_cap, slots_free = NO_SLOT;
static uint32_t calls_live, timers_live;
static double handles;

static uint32_t slot_new(void)
{
    if (slots_free != NO_SLOT) {
        uint32_t id = slots_free;
        slots_free = slots[id].next_free;
        return id;
    }
    if (slots_len == slots_cap) {
        uint32_t cap = slots_cap ? slots_cap * 2 : 16;
        Slot *grown = js_realloc(cx, slots, cap * sizeof *slots);
        if (!grown) return NO_SLOT;
        slots = grown;
        slots_cap = cap;
    }
    slots[slots_len].due = false;
    return slots_len++;
}

static void slot_release(uint32_t id)
{
    slots[id].kind = SLOT_FREE;
    slots[id].due = false;
    slots[id].next_free = slots_free;
    slots_free = id;
}

static void slot_drop_values(Slot slot)
{
    JS_FreeValue(cx, slot.caller);
    JS_FreeValue(cx, slot.target);
    JS_FreeValue(cx, slot.detach);
}

// The tool no longer waits for `id`. The host hears of it, unless its answer is already here.
static void slot_cancel(uint32_t id)
{
    Slot slot = slots[id];
    if (slot.kind == SLOT_CALL) calls_live--;
    else timers_live--;
    if (slot.due) {
        slots[id].kind = SLOT_CANCELLED;
    } else {
        host_cancel(id);
        slot_release(id);
    }
    slot_drop_values(slot);
}

// ---- where a call was made ----

static JSStackFrame *nearest_bytecode_frame(void)
{
    for (JSStackFrame *sf = rt->current_stack_frame; sf; sf = sf->prev_frame)
        if (JS_IsObject(sf->cur_func) && js_class_has_bytecode(JS_VALUE_GET_OBJ(sf->cur_func)->class_id)) return sf;
    return NULL;
}

static void remember_caller(Slot *slot)
{
    JSStackFrame *sf = nearest_bytecode_frame();
    slot->caller = JS_UNDEFINED;
    if (!sf || !sf->cur_pc) return;
    JSFunctionBytecode *b = JS_VALUE_GET_OBJ(sf->cur_func)->u.func.function_bytecode;
    slot->caller = js_dup(sf->cur_func);
    slot->pc = (uint32_t)(sf->cur_pc - b->byte_code_buf) - 1;
}

static JSValue caller_stack(const Slot *slot)
{
    if (!JS_IsObject(slot->caller)) return JS_UNDEFINED;
    JSFunctionBytecode *b = JS_VALUE_GET_OBJ(slot->caller)->u.func.function_bytecode;
    int column, line = find_line_num(cx, b, slot->pc, &column);
    const char *name = get_func_name(cx, slot->caller);
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

// ---- host calls ----

// A pending promise without resolving functions: only `settle` and `cancel` settle it.
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

// Hands one call to the host. False with an exception pending. Takes `detach`.
static bool send(JSValueConst name, JSValueConst input, JSValueConst promise, JSValue detach)
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
    uint32_t id = name_text ? slot_new() : NO_SLOT;
    bool sent = false;
    if (id != NO_SLOT) {
        sent = host_call(id, name_text, name_len, json_text, json_len) == 0;
        if (sent) {
            Slot *slot = &slots[id];
            slot->kind = SLOT_CALL;
            slot->target = js_dup(promise);
            slot->detach = js_dup(detach);
            calls_live++;
            remember_caller(slot);
        } else {
            slot_release(id);
            JS_ThrowTypeError(cx, "env.invoke: the operation's name must be valid Unicode");
        }
    }
    if (name_text) JS_FreeCString(cx, name_text);
    JS_FreeCString(cx, json_text);
    return sent;
}

static void reject(JSValueConst promise, JSValue reason)
{
    fulfill_or_reject_promise(cx, promise, reason, true);
    JS_FreeValue(cx, reason);
}

// Runs when a call's signal is aborted: `data` is the call's promise, the argument the reason.
static JSValue call_abort(JSContext *c, JSValueConst this, int argc, JSValueConst *argv, int magic, JSValueConst *data)
{
    (void)c, (void)this, (void)magic;
    for (uint32_t id = 0; id < slots_len; id++) {
        if (slots[id].kind != SLOT_CALL || JS_VALUE_GET_PTR(slots[id].target) != JS_VALUE_GET_PTR(data[0])) continue;
        slot_cancel(id);
        reject(data[0], js_dup(argc > 0 ? argv[0] : JS_UNDEFINED));
        break;
    }
    return JS_UNDEFINED;
}

// The `signal` of a call's options, linked to `promise`: gives what unlinks it, undefined if there is none.
static JSValue link_signal(JSValueConst options, JSValueConst promise)
{
    if (!JS_IsObject(options)) return JS_UNDEFINED;
    JSValue signal = JS_GetPropertyStr(cx, options, "signal");
    if (JS_IsException(signal) || JS_IsUndefined(signal) || JS_IsNull(signal)) return signal;
    JSValue args[2] = { signal, JS_NewCFunctionData2(cx, call_abort, "abort", 1, 0, 1, vc(&promise)) };
    JSValue detach = JS_IsException(args[1]) ? JS_EXCEPTION : JS_Call(cx, attach, JS_UNDEFINED, 2, vc(args));
    JS_FreeValue(cx, args[0]);
    JS_FreeValue(cx, args[1]);
    return detach;
}

// Like an async function, it never throws: what goes wrong rejects the promise.
static JSValue invoke(JSValueConst name, JSValueConst input, JSValueConst options)
{
    JSValue promise = promise_new();
    if (JS_IsException(promise)) return promise;
    JSValue detach = link_signal(options, promise);
    bool sent = !JS_IsException(detach) && send(name, input, promise, detach);
    if (!sent) {
        JSValue e = take_exception();
        if (JS_IsObject(detach)) JS_FreeValue(cx, JS_Call(cx, detach, JS_UNDEFINED, 0, NULL));
        reject(promise, e);
    }
    JS_FreeValue(cx, detach);
    return promise;
}

static JSValueConst argument(int argc, JSValueConst *argv, int at) { return at < argc ? argv[at] : JS_UNDEFINED; }

static JSValue env_invoke(JSContext *c, JSValueConst this, int argc, JSValueConst *argv)
{
    (void)c, (void)this;
    return invoke(argument(argc, argv, 0), argument(argc, argv, 1), argument(argc, argv, 2));
}

static JSValue env_operation(JSContext *c, JSValueConst this, int argc, JSValueConst *argv, int magic, JSValueConst *data)
{
    (void)c, (void)this, (void)magic;
    return invoke(data[0], argument(argc, argv, 0), argument(argc, argv, 1));
}

static JSValue call_error(JSValueConst fields, const Slot *slot)
{
    JSValue e = JS_NewObjectProtoClass(cx, call_error_proto, JS_CLASS_ERROR);
    if (JS_IsException(e)) return e;
    static const char *const names[] = { "message", "code", "retryable", "details" };
    for (size_t i = 0; i < countof(names); i++) {
        JSValue v = JS_GetPropertyStr(cx, fields, names[i]);
        int flags = i ? JS_PROP_C_W_E : JS_PROP_C_W_E & ~JS_PROP_ENUMERABLE;
        if (JS_DefinePropertyValueStr(cx, e, names[i], v, flags) < 0) { JS_FreeValue(cx, e); return JS_EXCEPTION; }
    }
    JSValue stack = caller_stack(slot);
    if (JS_IsException(stack)) { drop_exception(); stack = JS_UNDEFINED; }
    JS_VALUE_GET_OBJ(e)->u.object_data = stack;
    return e;
}

static void settle_call(uint32_t id, bool failed, const char *json, uint32_t len)
{
    Slot slot = slots[id];
    slot_release(id);
    calls_live--;
    JSValue v = JS_ParseJSON(cx, json, len, "result");
    if (failed && !JS_IsException(v)) {
        JSValue fields = v;
        v = call_error(fields, &slot);
        JS_FreeValue(cx, fields);
    }
    if (JS_IsException(v)) { failed = true; v = take_exception(); }
    fulfill_or_reject_promise(cx, slot.target, v, failed);
    JS_FreeValue(cx, v);
    if (JS_IsObject(slot.detach)) JS_FreeValue(cx, JS_Call(cx, slot.detach, JS_UNDEFINED, 0, NULL));
    slot_drop_values(slot);
}

// ---- timers ----

// Arms a timer and gives its handle. Takes nothing; throws when the host has no more.
static JSValue timer_arm(double ms, JSValueConst callback, bool repeats)
{
    if (loading) return JS_ThrowPlainError(cx, "there are no timers while a module loads: set them in the exported function");
    uint32_t id = slot_new();
    if (id == NO_SLOT) return JS_EXCEPTION;
    uint32_t wait = ms >= INT32_MAX ? INT32_MAX : ms > 0 ? (uint32_t)ms : 0;
    if (repeats && !wait) wait = 1;
    if (host_timer(id, wait)) {
        slot_release(id);
        return JS_ThrowRangeError(cx, "too many timers");
    }
    handles++;
    slots[id] = (Slot) { .kind = SLOT_TIMER, .repeats = repeats, .ms = wait, .caller = JS_UNDEFINED,
                         .target = js_dup(callback), .detach = JS_UNDEFINED, .handle = handles };
    timers_live++;
    return JS_NewFloat64(cx, handles);
}

static void timer_disarm(double handle)
{
    for (uint32_t id = 0; id < slots_len; id++)
        if (slots[id].kind == SLOT_TIMER && slots[id].handle == handle) { slot_cancel(id); return; }
}

// Runs the callback of a timer that is up. False with an exception pending.
static bool timer_fire(uint32_t id)
{
    Slot slot = slots[id];
    JSValue callback = js_dup(slot.target);
    bool again = slot.repeats && host_timer(id, slot.ms) == 0;
    slots[id].due = false;
    if (!again) {
        slot_release(id);
        timers_live--;
        slot_drop_values(slot);
    }
    JSValue r = JS_Call(cx, callback, JS_UNDEFINED, 0, NULL);
    JS_FreeValue(cx, callback);
    JS_FreeValue(cx, r);
    if (JS_IsException(r)) return false;
    if (slot.repeats && !again) JS_ThrowRangeError(cx, "too many timers");
    return !slot.repeats || again;
}

#endif
