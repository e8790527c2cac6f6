;; tries: to import a function of another world from a module.
;; expect: rejected env

(module (import "env" "system" (func (param i32) (result i32))) (func (export "invoke") (param i32 i32 i32 i32) (result i32) unreachable))
