;; tries: to call itself again and again, each of which does the same, and to go on whatever comes of them.
;; expect: error TIMEOUT
;; expect: error LIMIT_EXCEEDED
;; env: session/hostile

(module
  (import "alknet:tool/ops@0.1.0" "invoke" (func $ops (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "session/hostile{}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "invoke") (param i32 i32 i32 i32) (result i32)
    (loop $l (call $ops (i32.const 1024) (i32.const 15) (i32.const 1039) (i32.const 2) (i32.const 64)) (br $l))
    unreachable))
