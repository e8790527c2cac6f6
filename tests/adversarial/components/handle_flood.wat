;; tries: to take memory of the host with handles that are kept.
;; expect: error INTERNAL uncaught Trap
;; expect: error LIMIT_EXCEEDED cpu_ms
;; expect: error LIMIT_EXCEEDED memory_bytes

(component
  (import "alknet:tool/types@0.1.0" (instance $types
    (type $e (record (field "code" string) (field "message" string) (field "retryable" bool) (field "details" (option string))))
    (export "error" (type (eq $e)))))
  (alias export $types "error" (type $error))
  (type $r (resource (rep i32)))
  (core func $new (canon resource.new $r))
  (core func $drop (canon resource.drop $r))
  (core func $rep (canon resource.rep $r))
  (core module $m
    (import "r" "new" (func $new (param i32) (result i32)))
    (import "r" "drop" (func $drop (param i32)))
    (import "r" "rep" (func $rep (param i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "invoke") (param i32 i32 i32 i32) (result i32) (local $h i32)
      (loop $l (drop (call $new (i32.const 7))) (br $l)) unreachable))
  (core instance $i (instantiate $m (with "r" (instance
    (export "new" (func $new)) (export "drop" (func $drop)) (export "rep" (func $rep))))))
  (func $invoke (param "name" string) (param "input" string) (result (result string (error $error)))
    (canon lift (core func $i "invoke") (memory $i "memory") (realloc (func $i "cabi_realloc"))))
  (export "invoke" (func $invoke)))
