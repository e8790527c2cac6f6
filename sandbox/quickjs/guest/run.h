// Running: the call and, if it returned a generator, its items one by one.
#ifndef ALK_RUN_H
#define ALK_RUN_H

#include "calls.h"

// A message in the buffer, read from its start; behind `end` there is a NUL.
typedef struct { char *at, *end; } Message;

enum answer { ANSWER_OK = 0, ANSWER_FAILED = 1, ANSWER_TIMER = 2 };

// A sync generator is done: what it gave last is no item.
static bool stream_done;

static void enter(uint32_t stack_bytes)
{
    out_clear();
    out_of_memory = false;
    if (stack_bytes) JS_SetMaxStackSize(rt, stack_bytes);
    JS_UpdateStackTop(rt);
}

static bool is_generator(JSValueConst v)
{
    if (!JS_IsObject(v)) return false;
    JSClassID class = JS_VALUE_GET_OBJ(v)->class_id;
    return class == JS_CLASS_GENERATOR || class == JS_CLASS_ASYNC_GENERATOR;
}

static bool is_async_generator(JSValueConst v)
{
    return JS_VALUE_GET_OBJ(v)->class_id == JS_CLASS_ASYNC_GENERATOR;
}

// Takes a value and writes it as JSON; undefined is null.
static int32_t out_result(JSValue v)
{
    if (JS_IsUndefined(v)) { out_clear(); out_static("null"); return OK; }
    if (is_generator(v)) {
        JS_FreeValue(cx, v);
        return out_message("output", "the value is a generator; to give items, "
                                     "write `export default async function* (input, env) { ... }`");
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

// The first promise that was rejected while nothing handled it. A tool that then waits for ever is told of that.
static void note_rejection(JSContext *c, JSValueConst promise, JSValueConst reason, bool handled, void *opaque)
{
    (void)reason, (void)opaque;
    if (!handled && JS_IsUndefined(unhandled)) {
        unhandled = JS_DupValue(c, promise);
    } else if (handled && JS_IsObject(unhandled) && JS_VALUE_GET_PTR(unhandled) == JS_VALUE_GET_PTR(promise)) {
        JS_FreeValue(c, unhandled);
        unhandled = JS_UNDEFINED;
    }
}

static int32_t stalled(void)
{
    return JS_IsObject(unhandled) ? out_error(JS_PromiseResult(cx, unhandled), "throw") : STALLED;
}

static JSValue take_result(void)
{
    JSValue v = JS_PromiseResult(cx, result);
    JS_FreeValue(cx, result);
    result = JS_UNDEFINED;
    return v;
}

// The item promise is fulfilled: its item, or the end once every host call is settled.
static int32_t item(void)
{
    bool done = stream_done;
    if (is_async_generator(stream)) {
        JSValue step = JS_PromiseResult(cx, result);
        JSValue flag = JS_GetPropertyStr(cx, step, "done");
        JS_FreeValue(cx, step);
        if (JS_IsException(flag)) return out_error(take_exception(), "throw");
        done = JS_ToBoolFree(cx, flag);
    }
    if (done) return calls_live ? PENDING : END;
    JSValue v = take_result();
    if (is_async_generator(stream)) {
        JSValue step = v;
        v = JS_GetPropertyStr(cx, step, "value");
        JS_FreeValue(cx, step);
        if (JS_IsException(v)) return out_error(take_exception(), "throw");
    }
    return out_result(v);
}

static bool rejected(void)
{
    return !JS_IsUndefined(result) && JS_PromiseState(cx, result) == JS_PROMISE_REJECTED;
}

// Runs what is runnable. False with the error written.
static bool drain(void)
{
    JSContext *c;
    int ran;
    while ((ran = JS_ExecutePendingJob(rt, &c)) > 0)
        if (rejected()) break;
    if (ran < 0) out_error(take_exception(), "throw");
    return ran >= 0;
}

// Runs what is runnable, then says where the call stands. It is over when its promise is rejected, or is
// fulfilled and every host call it started is settled; timers keep nothing alive but a pending promise.
static int32_t pump(void)
{
    if (!drain()) return ERR;
    // Between two items nothing is asked for.
    if (JS_IsUndefined(result)) return STREAM;
    switch (JS_PromiseState(cx, result)) {
    case JS_PROMISE_REJECTED:
        return out_error(JS_PromiseResult(cx, result), "throw");
    case JS_PROMISE_FULFILLED:
        if (JS_IsObject(stream)) return item();
        return calls_live ? PENDING : out_result(JS_PromiseResult(cx, result));
    default:
        return calls_live || timers_live ? PENDING : stalled();
    }
}

// Takes what the tool returned: anything but a promise is resolved into one, as await would.
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

// Asks the generator for its next item, past whatever the tool made of its prototype.
static int32_t stream_next(void)
{
    JSValueConst nothing[1] = { JS_UNDEFINED };
    if (is_async_generator(stream))
        return follow(js_async_generator_next(cx, stream, 1, nothing, GEN_MAGIC_NEXT));
    int done;
    JSValue v = js_generator_next(cx, stream, 1, nothing, &done, GEN_MAGIC_NEXT);
    // 2: a generator it delegates to gave {value, done} itself.
    if (done == 2 && !JS_IsException(v)) {
        JSValue step = v, flag = JS_GetPropertyStr(cx, step, "done");
        done = JS_IsException(flag) ? -1 : JS_ToBoolFree(cx, flag);
        v = done < 0 ? JS_EXCEPTION : JS_GetPropertyStr(cx, step, "value");
        JS_FreeValue(cx, step);
    }
    stream_done = done;
    return follow(v);
}

static bool next_record(Message *message, uint32_t head[3], const char **text)
{
    size_t left = message->end - message->at;
    if (left < 3 * sizeof *head) return false;
    memcpy(head, message->at, 3 * sizeof *head);
    left -= 3 * sizeof *head;
    *text = message->at + 3 * sizeof *head;
    if (head[2] >= left || (*text)[head[2]]) return false;
    message->at += 3 * sizeof *head + head[2] + 1;
    return true;
}

// Checks a whole message, and marks what it answers.
static bool settle_due(Message message)
{
    uint32_t head[3];
    const char *text;
    while (message.at < message.end) {
        if (!next_record(&message, head, &text) || head[0] >= slots_len || slots[head[0]].due) return false;
        enum slot_kind asked = head[1] == ANSWER_TIMER ? SLOT_TIMER : SLOT_CALL;
        if (head[1] > ANSWER_TIMER || slots[head[0]].kind != asked) return false;
        slots[head[0]].due = true;
    }
    return true;
}

static int32_t settle_all(Message message)
{
    uint32_t head[3];
    const char *text;
    while (message.at < message.end && next_record(&message, head, &text)) {
        uint32_t id = head[0];
        switch (slots[id].kind) {
        case SLOT_CALL:
            settle_call(id, head[1] == ANSWER_FAILED, text, head[2]);
            break;
        case SLOT_TIMER:
            // A timer is a task of its own: what was to run before it does, and what it leads to.
            if (!drain()) return ERR;
            if (rejected()) break;
            if (slots[id].kind == SLOT_CANCELLED) { slot_release(id); break; }
            if (!timer_fire(id)) return out_error(take_exception(), "throw");
            if (!drain()) return ERR;
            break;
        case SLOT_FREE:
        case SLOT_CANCELLED:
            slot_release(id);
            break;
        }
        if (rejected()) break;
    }
    return pump();
}

#endif
