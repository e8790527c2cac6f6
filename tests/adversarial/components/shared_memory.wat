;; tries: to have a memory that it shares.
;; expect: rejected 

(module (memory (export "memory") 1 2 shared) (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable) (func (export "invoke") (param i32 i32 i32 i32) (result i32) unreachable))
