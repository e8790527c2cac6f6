;; tries: to measure how long something takes: the clock stands still while it computes.
;; expect: output 0

(module
  (import "alknet:tool/runtime@0.1.0" "now-millis" (func $now (result i64)))
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
  (func $answer (param $p i32) (param $n i32) (result i32)
    (i32.store (i32.const 16) (i32.const 0))
    (i32.store (i32.const 20) (local.get $p))
    (i32.store (i32.const 24) (local.get $n))
    (i32.const 16))
  (func (export "invoke") (param $name i32) (param $name_len i32) (param $in i32) (param $in_len i32) (result i32)
    (local $begun i64) (local $i i32)
    (local.set $begun (call $now))
    (loop $l (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (i32.lt_u (local.get $i) (i32.const 1000000))))
    (i32.store8 (i32.const 1024) (i32.add (i32.const 0x30) (i64.ne (call $now) (local.get $begun))))
    (call $answer (i32.const 1024) (i32.const 1))))
