;; tries: to compute for ever while the host asks for memory.
;; expect: error LIMIT_EXCEEDED cpu_ms

(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (loop $l (br $l)) unreachable)
  (func (export "invoke") (param $name i32) (param $name_len i32) (param $in i32) (param $in_len i32) (result i32)
    unreachable))
