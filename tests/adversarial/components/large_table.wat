;; tries: to begin with a table of many millions.
;; expect: rejected table
;; expect: rejected 

(module (memory (export "memory") 1) (table 9000000 funcref) (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable) (func (export "invoke") (param i32 i32 i32 i32) (result i32) unreachable))
