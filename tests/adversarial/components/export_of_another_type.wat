;; tries: to be a tool that is called otherwise.
;; expect: rejected 

(module (memory (export "memory") 1) (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable) (func (export "invoke") (param i64) (result i64) unreachable))
