;; tries: to log as much as memory holds, again and again.
;; expect: error LIMIT_EXCEEDED cpu_ms

(module
  (import "alknet:tool/runtime@0.1.0" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (global $top (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $p i32)
    (local.set $p (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $p) (local.get 3)))
    (block $fits
      (br_if $fits (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
      (br_if $fits (i32.ne (i32.const -1)
        (memory.grow (i32.add (i32.const 1) (i32.shr_u (local.get 3) (i32.const 16))))))
      unreachable)
    (local.get $p))
  (func (export "invoke") (param $name i32) (param $name_len i32) (param $in i32) (param $in_len i32) (result i32)
    (drop (memory.grow (i32.const 200)))
    (memory.fill (i32.const 65536) (i32.const 0x41) (i32.const 13000000))
    (loop $l (call $log (i32.const 1) (i32.const 65536) (i32.const 13000000)) (br $l)) unreachable))
