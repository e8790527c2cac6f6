;; tries: to have a memory of 64 bits.
;; expect: rejected 

(module (memory (export "memory") i64 1) (func (export "invoke") (param i32 i32 i32 i32) (result i32) unreachable))
